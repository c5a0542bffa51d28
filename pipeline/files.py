"""Files and directories written whole or not at all, with the same bytes for the same content."""

import csv
import errno
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

ROOM, RIGHTS = "make room there, then run it again", "make it writable, then run it again"
# What to do about a disk that takes no more, by the number of the error.
REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: RIGHTS,
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk, or one that can't be written, into a UserError that names `path` and the remedy."""
    try:
        yield
    except OSError as error:
        # NumPy tells of a write that was cut short by its counts alone: "9 requested and 4 written".
        number = errno.ENOSPC if str(error).endswith(" written") else error.errno
        if number not in REMEDIES:
            raise
        raise UserError(f"{_final(path)}: {os.strerror(number)}; {REMEDIES[number]}") from error


def _final(path: Path) -> str:
    """Return the path without what a temporary name adds to it."""
    return re.sub(r"(^|/)\.([^/]+)\.\d+\.(?:new\.)?tmp(?=/|$)", r"\1\2", str(path))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside it, then rename it into place; its folder is made."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            _remove(temporary)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with the line ends as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys; ValueError for NaN and infinity, which JSON has no word for."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def csv_text(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return a table as CSV, from its columns; ValueError where they are not equally long."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Yield an empty directory to fill; when the block ends well it takes the place of `directory`.

    When it doesn't, what was there stays as it was. Nothing is left beside it either way.
    """
    new, old = (directory.with_name(f".{directory.name}.{os.getpid()}.{age}.tmp") for age in ("new", "old"))
    try:
        with writing(directory):
            new.mkdir(parents=True)
            yield new
            _swap(new, directory, old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _remove(temporary: Path) -> None:
    """Remove what is left of a temporary file; on a disk that can't be written there is nothing left."""
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def _swap(new: Path, directory: Path, old: Path) -> None:
    """Give `new` the directory's name. A directory can't replace another in one step: undo if it fails."""
    try:
        if directory.exists():
            directory.rename(old)
        new.rename(directory)
    except BaseException:
        if old.exists() and not directory.exists():
            old.rename(directory)
        raise
