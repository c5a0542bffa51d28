"""Bytes from outside, kept only where they are the expected ones."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pipeline.datasets.mnist import IdxFile
from pipeline.files import writing

CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


class SourceError(Exception):
    """A source does not have what is wanted; the message says what it answered instead."""


class Readable(Protocol):
    """What is read from: a file, a decompressor or a member of an archive."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""


@contextmanager
def decompressed(file: io.BufferedReader) -> Iterator[Readable]:
    """Yield the plain bytes of an open file that may be gzip, going by its first bytes, not its name."""
    if file.peek(2)[:2] != GZIP_MAGIC:
        yield file
        return
    with gzip.GzipFile(fileobj=file) as plain:
        try:
            yield plain
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise SourceError(f"damaged gzip: {error}") from error


def copy(source: Readable, destination: Path, expected: IdxFile) -> None:
    """Write `source` to `destination`, reading at most one byte more than the expected size.

    Raises SourceError, with the file at `destination` to be ignored, where the bytes are not the
    expected ones.
    """
    digest = hashlib.sha256()
    left = expected.size + 1
    with writing(destination), destination.open("wb") as file:
        while left and (chunk := source.read(min(CHUNK, left))):
            file.write(chunk)
            digest.update(chunk)
            left -= len(chunk)
    if not left:
        raise SourceError(f"{destination.name}: more than {expected.size} bytes")
    if left > 1:
        raise SourceError(f"{destination.name}: {expected.size + 1 - left} of {expected.size} bytes")
    if digest.hexdigest() != expected.sha256:
        raise SourceError(f"{destination.name}: wrong bytes (SHA-256 {digest.hexdigest()[:12]}…)")


def is_right(path: Path, expected: IdxFile) -> bool:
    """Tell whether there is a file of exactly the expected bytes; OSError where it can't be read."""
    if not path.is_file() or path.stat().st_size != expected.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == expected.sha256
