"""The download cache outside the repository: every file under the SHA-256 of its bytes.

Never needed and never trusted: without it everything is downloaded, and what comes out of it is
verified like what comes from a mirror. Writers rename whole files into place, so any number of
processes may use it at a time.
"""

import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs

from pipeline.datasets import verification
from pipeline.datasets.mnist import IdxFile
from pipeline.datasets.progress import say
from pipeline.datasets.verification import SourceError

VARIABLE = "GRADLINE_CACHE"


def find(cache: Path | None = None) -> Path | None:
    """Return the cache's directory, made if need be: `cache`, else $GRADLINE_CACHE, else the user's.

    None, with one line that says why, where there is nowhere to keep it.
    """
    cache = cache or Path(os.environ.get(VARIABLE) or platformdirs.user_cache_path("gradline") / "mnist")
    try:
        # Without a home directory platformdirs answers ~/.cache, which would be a folder named "~" here.
        if not cache.is_absolute():
            raise OSError(errno.EINVAL, "not an absolute path")
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _do_without(cache, error)
        return None
    return cache


def restore(cache: Path, wanted: Mapping[str, IdxFile], destination: Path) -> set[str]:
    """Copy the wanted files that are there, verified; return their names. Damaged ones are discarded."""
    return {name for name, expected in wanted.items() if _restore(cache, expected, destination / name)}


def _restore(cache: Path, expected: IdxFile, path: Path) -> bool:
    entry = cache / expected.sha256
    try:
        if entry.is_file():
            with entry.open("rb") as file:
                verification.copy(file, path, expected)
            return True
    except SourceError as error:
        say(f"cache: {entry} is damaged and discarded: {error}")
        with suppress(OSError):
            entry.unlink()
    except OSError as error:
        say(f"cache: {entry}: {error.strerror}")
    return False


def keep(cache: Path, files: Mapping[str, IdxFile], source: Path) -> None:
    """Store verified files from the directory `source`; one line where the cache can't be written."""
    try:
        for name, expected in files.items():
            _keep(cache / expected.sha256, source / name)
    except OSError as error:
        _do_without(cache, error)


def _keep(entry: Path, file: Path) -> None:
    temporary = entry.with_name(f".{entry.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(file, temporary)
        temporary.replace(entry)
    finally:
        temporary.unlink(missing_ok=True)


def _do_without(cache: Path, error: OSError) -> None:
    say(f"going on without the download cache {cache}: {error.strerror}; {VARIABLE} names another directory")
