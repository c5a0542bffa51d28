"""The wanted files out of a directory or an archive on this machine."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pipeline.datasets import verification
from pipeline.datasets.mnist import IdxFile
from pipeline.datasets.verification import Readable, SourceError

# What an archive may hold besides the wanted files, in bytes: they have to be read past.
MOST_BESIDES = 64 << 20


def take(place: Path, wanted: Mapping[str, IdxFile], destination: Path) -> None:
    """Copy the wanted files, plain or gzip, out of a directory or a tar archive, plain or gzip.

    In a directory `name` comes before `name.gz`; in an archive they may lie in any folder, and what
    isn't wanted, isn't a regular file or points out of the archive is passed over. Raises SourceError
    where a file is missing or wrong, OSError where one can't be read.
    """
    if place.is_dir():
        _from_directory(place, wanted, destination)
    elif place.is_file():
        _from_archive(place, wanted, destination)
    else:
        raise SourceError(f"{place.absolute()} is neither a directory nor an archive")


def _from_directory(place: Path, wanted: Mapping[str, IdxFile], destination: Path) -> None:
    for name, expected in wanted.items():
        found = next((path for path in (place / name, place / f"{name}.gz") if path.is_file()), None)
        if found is None:
            raise SourceError(f"{name} is missing")
        with found.open("rb") as file, verification.decompressed(file) as plain:
            verification.copy(plain, destination / name, expected)


def _from_archive(place: Path, wanted: Mapping[str, IdxFile], destination: Path) -> None:
    most = sum(expected.size for expected in wanted.values()) + MOST_BESIDES
    missing = dict(wanted)
    try:
        with place.open("rb") as file, verification.decompressed(file) as plain, _tar(plain, most) as archive:
            for member in archive:
                name = _name(member)
                if name in missing and (content := archive.extractfile(member)):
                    _copy_member(content, destination / name, missing.pop(name))
                if not missing:
                    return
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise SourceError(f"no tar archive that can be read: {error}") from error
    raise SourceError(f"{', '.join(missing)} missing from the archive")


def _tar(plain: Readable, most: int) -> tarfile.TarFile:
    # As a stream, front to back and once: no member can send the reader round in circles.
    return tarfile.open(fileobj=cast(IO[bytes], _Bounded(plain, most)), mode="r|")


def _copy_member(content: IO[bytes], destination: Path, expected: IdxFile) -> None:
    with verification.decompressed(cast(io.BufferedReader, content)) as plain:
        verification.copy(plain, destination, expected)


def _name(member: tarfile.TarInfo) -> str | None:
    """Return the file name of a regular member inside the archive, without .gz, and of no other."""
    path = PurePosixPath(member.name)
    if not member.isreg() or path.is_absolute() or ".." in path.parts:
        return None
    return path.name.removesuffix(".gz")


class _Bounded:
    """What tarfile needs of a file, with an end to how much an archive can make it read."""

    def __init__(self, file: Readable, most: int) -> None:
        self.file = file
        self.left = most

    def read(self, size: int) -> bytes:
        chunk = self.file.read(size)
        self.left -= len(chunk)
        if self.left < 0:
            raise SourceError("an archive of far more than the wanted files")
        return chunk
