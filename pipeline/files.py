"""Files and directories written whole or not at all, with the same bytes for the same content."""

import csv
import errno
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import REMEDIES, UserError

# What is being written is named so: the number is its writer's process.
TEMPORARY = re.compile(r"\.(\d+)(\.new|\.old)?\.tmp$")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk, or a place that takes no file, into a UserError that names `path` and the remedy."""
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
        clear(leftovers(path.parent, path.name))
        temporary = _temporary(path)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            clear([temporary])


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
    old = _temporary(directory, ".old")
    with scratch(directory) as new:
        try:
            yield new
            _swap(new, directory, old)
        finally:
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside `path`, which is gone after the block; so is what a kill left.

    UserError, as of `writing`, where the disk takes no more.
    """
    directory = _temporary(path, ".new")
    try:
        with writing(path):
            clear(leftovers(path.parent, path.name))
            directory.mkdir(parents=True)
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def leftovers(folder: Path, name: str = "*") -> list[Path]:
    """Return what writers of `name` that were killed left in a folder, of any name by default."""
    found = ((path, TEMPORARY.search(path.name)) for path in folder.glob(f".{name}.*.tmp"))
    return sorted(path for path, match in found if match and _is_gone(int(match[1])))


def clear(paths: Iterable[Path]) -> None:
    """Remove files and directories; what can't be removed stays."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


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


def _temporary(path: Path, age: str = "") -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}{age}.tmp")


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # it is somebody else's
    return False
