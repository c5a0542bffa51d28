"""In what two run directories differ, file by file: which tensor, metric or parameter, with both values."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from pipeline.tracking import projection, run_directory

# In the order in which a reader wants to hear of them; others follow.
ORDER = (
    run_directory.WEIGHTS,
    run_directory.METRICS,
    run_directory.RECORD,
    run_directory.NORMALIZATION,
    run_directory.HISTORY,
)
# Characters of a long value that are shown, and how many of them stand before the first that differs.
SHOWN, BEFORE = 60, 20
Tensors = Mapping[str, np.ndarray]


class Weight(NamedTuple):
    """Where two sets of weights differ most, relative to the largest weight of the tensor."""

    tensor: str
    at: tuple[int, ...]
    first: float
    second: float
    relative: float

    @property
    def place(self) -> str:
        """The tensor and the index in it."""
        return f"{self.tensor}{list(self.at)}"


class Sides(NamedTuple):
    """How the two that are compared are called."""

    first: str
    second: str

    def of(self, first: object, second: object) -> str:
        """Return both values on one line, each with its side; of long ones, where they begin to differ."""
        texts = [_on_one_line(str(value)) for value in (first, second)]
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
        start = max(0, same - BEFORE) if max(map(len, texts)) > SHOWN else 0
        shown = [_excerpt(text, start) for text in texts]
        return f"{shown[0]} {self.first}, {shown[1]} {self.second}"


def between(first: Path, second: Path, sides: Sides) -> Iterator[str]:
    """Yield a line for each file that differs, the weights first: where, and what either has there."""
    there, here = set(run_directory.files(first)), set(run_directory.files(second))
    for name in sorted(there | here, key=_rank):
        if name in there & here:
            line = of_file(first / name, second / name, sides)
        else:
            line = f"only {sides.first if name in there else sides.second}"
        if line:
            yield f"{name}: {line}"


def of_file(first: Path, second: Path, sides: Sides) -> str:
    """Return in what two files differ, nothing where their bytes are the same."""
    contents = first.read_bytes(), second.read_bytes()
    if contents[0] == contents[1]:
        return ""
    try:
        found = _READERS[first.suffix](*contents, sides) if first.suffix in _READERS else ""
    except (ValueError, csv.Error, SafetensorError):
        return "its bytes differ, and one of them is damaged"
    return found or "its bytes differ"


def largest(first: Tensors, second: Tensors) -> Weight | None:
    """Return where two sets of tensors of the same names and shapes differ most; None where nowhere."""
    found = [each for name in first if (each := _largest(name, first[name], second[name]))]
    return max(found, key=lambda weight: weight.relative, default=None)


def _largest(name: str, first: np.ndarray, second: np.ndarray) -> Weight | None:
    a, b = (np.asarray(each, np.float64) for each in (first, second))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return None
    with np.errstate(all="ignore"):
        scale = max(np.abs(each[np.isfinite(each)]).max(initial=0.0) for each in (a, b))
        relative = np.where(same, 0.0, np.abs(a - b) / scale)
    relative = np.nan_to_num(relative, nan=np.inf, posinf=np.inf)
    index = tuple(int(each) for each in np.unravel_index(relative.argmax(), relative.shape))
    return Weight(name, index, float(a[index]), float(b[index]), float(relative[index]))


def _on_one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _excerpt(text: str, start: int) -> str:
    end = start + SHOWN
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _rank(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _of_tensors(first: bytes, second: bytes, sides: Sides) -> str:
    a, b = safetensors.numpy.load(first), safetensors.numpy.load(second)
    for name in sorted(a.keys() | b.keys()):
        shapes = [f"{each[name].dtype} {each[name].shape}" if name in each else "none" for each in (a, b)]
        if shapes[0] != shapes[1]:
            return f"{name} is {sides.of(*shapes)}"
    weight = largest(a, b)
    if weight is None:
        return ""
    return (
        f"{weight.place} is {sides.of(weight.first, weight.second)}, "
        f"{weight.relative:.1e} of the largest in {weight.tensor}"
    )


def _of_json(first: bytes, second: bytes, sides: Sides) -> str:
    a, b = (dict(projection.flatten(json.loads(each))) for each in (first, second))
    different = [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
    if not different:
        return ""
    name = different[0]
    return f"{name} is {sides.of(a.get(name, 'none'), b.get(name, 'none'))}{_more(different)}"


def _of_table(first: bytes, second: bytes, sides: Sides) -> str:
    rows = [list(csv.DictReader(io.StringIO(each.decode()))) for each in (first, second)]
    none: dict[str, str] = {}
    different = [
        (number, name, there.get(name, "none"), here.get(name, "none"))
        for number, (there, here) in enumerate(zip_longest(*rows, fillvalue=none), start=1)
        for name in there | here
        if there.get(name) != here.get(name)
    ]
    if not different:
        return ""
    number, name, *values = different[0]
    return f"row {number}, {name} is {sides.of(*values)}{_more(different)}"


def _more(different: list[Any]) -> str:
    return f", and {len(different) - 1} more" if len(different) > 1 else ""


_READERS: dict[str, Callable[[bytes, bytes, Sides], str]] = {
    ".safetensors": _of_tensors,
    ".json": _of_json,
    ".csv": _of_table,
}
