"""The files that DVC writes in place, and that a kill or a merge can leave broken."""

import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import psutil

from pipeline import lock_file
from pipeline.doctor.programs import call
from pipeline.errors import first_line, printable

STAGES, LOCK, SETTINGS = Path("dvc.yaml"), lock_file.PATH, Path(".dvc/config")
TEMPORARY = Path(".dvc/tmp")
MARKERS = re.compile(r"^(<{7}|>{7}|={7})( |$)", re.MULTILINE)


def settings() -> Iterator[str]:
    """Yield a line where .dvc/config can't be read, and DVC refuses to do anything."""
    from dvc.config import Config, ConfigError

    try:
        Config.from_cwd()
    except ConfigError as error:
        back = f"`git checkout HEAD -- {SETTINGS}` brings it back"
        yield f"{SETTINGS}: can't be read ({printable(str(error))}); {back}"


def stages() -> Iterator[str]:
    """Yield a line where dvc.yaml is missing or can't be read: there is no pipeline then."""
    from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA

    back = f"`git checkout HEAD -- {STAGES}` brings it back"
    if not STAGES.is_file():
        yield f"{STAGES}: is no file; {back}"
    elif reason := _fault(STAGES, COMPILED_MULTI_STAGE_SCHEMA):
        yield f"{STAGES}: can't be read ({reason}); {back}"


def lock() -> Iterator[str]:
    """Yield a line where dvc.lock can't be read, and DVC refuses to do anything, or where it was cut off."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA

    if not LOCK.exists():
        return
    committed = call("git", "show", f"HEAD:./{LOCK}")
    back = f"git checkout HEAD -- {LOCK}" if committed else f"rm {LOCK}"
    mended = f"`{back}`, then `dvc repro` runs what it lacks, to the same bytes"
    text = LOCK.read_text(encoding="utf-8", errors="replace")
    if MARKERS.search(text):
        yield f"{LOCK}: holds the markers of a merge conflict; {mended}"
    elif reason := _fault(LOCK, COMPILED_LOCKFILE_SCHEMA):
        yield f"{LOCK}: is not whole ({reason}); {mended}"
    elif lost := sorted(_stages_of(committed) - _stages_of(text)):
        yield f"{LOCK}: lacks of the last commit's stages {', '.join(lost)}; {mended}"


def process_locks() -> Iterator[str]:
    """Yield a line for each lock of DVC's that nobody holds any more, or that can't be read."""
    if any(_runs_dvc(process) for process in psutil.process_iter()):
        return  # its locks are in use
    path = TEMPORARY / "rwlock"
    if path.exists():
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            infos = [*held.get("write", {}).values(), *chain(*held.get("read", {}).values())]
            holders = sorted({int(info["pid"]) for info in infos})
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            yield f"{path}: can't be read, and DVC refuses to run; `rm -r {path}`"
        else:
            for process in holders[:1]:
                yield f"{path}: is held for process {process}, which is no DVC or has ended; `rm {path}`"
    path = TEMPORARY / "lock"
    # With core.hardlink_lock the file itself is the lock; else a lock on it is, which ends with its holder.
    if path.exists() and path.stat().st_nlink > 1:
        yield f"{path}: no DVC is running that could hold it; `rm {path}`"


def cache() -> Iterator[str]:
    """Yield a line for each object in DVC's cache whose bytes are not those that its name promises.

    DVC believes what is read-only without looking.
    """
    folder = Path(call(sys.executable, "-m", "dvc", "cache", "dir") or ".dvc/cache") / "files/md5"
    for path in sorted(folder.glob("[0-9a-f][0-9a-f]/*")):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != path.parent.name + path.name.removesuffix(".dir"):
            shown = shlex.quote(os.path.relpath(path))
            remedy = f"`rm -f {shown}`, then `dvc repro` or `dvc pull`"
            yield f"{shown}: its bytes are not those of its name; {remedy}"


def _stages_of(text: str) -> set[str]:
    """Return the names of the stages in a dvc.lock; none where it can't be read."""
    with suppress(ValueError):
        return set(lock_file.stages(text.encode()))
    return set()


def _fault(path: Path, schema: Any) -> str | None:
    """Return in a few words why DVC refuses a file, as DVC itself reads it."""
    from dvc.exceptions import DvcException
    from dvc.utils import strictyaml

    try:
        strictyaml.load(str(path), schema)
    except (ValueError, RecursionError) as error:
        return first_line(error)
    except DvcException as error:
        cause = error.__cause__ or error
        mark = getattr(cause, "problem_mark", None)
        return f"no YAML in line {mark.line + 1}" if mark else first_line(getattr(error, "exc", cause))
    return None


def _runs_dvc(process: psutil.Process) -> bool:
    """Whether a process is a DVC in this repository."""
    try:
        named = any(Path(part).name == "dvc" for part in process.cmdline()[:3])
        return named and Path(process.cwd()) == Path.cwd()
    except (psutil.Error, OSError):
        return False
