"""Reading a file of the report: what can't be read is one line that names it."""

import csv
import reprlib
from io import BytesIO
from pathlib import Path
from typing import NoReturn, TypeVar

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import UserError, printable

T = TypeVar("T")

REMEDY = "run `make repro`, which makes it"


def content(path: Path, remedy: str = REMEDY) -> bytes:
    """Return a file's bytes; UserError where it can't be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; {remedy}") from None


def json_as(kind: type[T], path: Path, remedy: str = REMEDY) -> T:
    """Return what a JSON file holds, as this type; UserError names the field and the value found."""
    try:
        return TypeAdapter(kind).validate_json(content(path, remedy))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        found = f" = {reprlib.repr(first['input'])}" if first["type"] != "missing" else ""
        refuse(path, f"{where}{found}: {first['msg']}" if where else first["msg"], remedy)


def confusion(path: Path) -> list[tuple[int, int]]:
    """Return the digit that each test image shows and the one it is taken for, from a run's confusion.csv."""
    try:
        rows = csv.DictReader(content(path).decode().splitlines())
        pairs = [(int(row["actual"]), int(row["predicted"])) for row in rows]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        refuse(path, f"{type(error).__name__}: {error}")
    if not pairs:
        refuse(path, "it holds no image")
    return pairs


def png(path: Path) -> tuple[bytes, int, int]:
    """Return a picture's bytes, width and height in pixels; UserError where it isn't a whole PNG."""
    data = content(path)
    try:
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            image.load()
            return data, image.width, image.height
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        refuse(path, f"no whole PNG: {type(error).__name__}")


def refuse(path: Path, fault: str, remedy: str = REMEDY) -> NoReturn:
    """Raise UserError of one line: the file is damaged, in what way, and what to do."""
    raise UserError(f"{path}: is damaged ({printable(fault)}); {remedy}") from None
