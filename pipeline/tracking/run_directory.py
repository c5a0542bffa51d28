"""The run directory: all that a training run leaves behind. These files are the truth; MLflow shows them."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from pipeline.errors import UserError, printable
from pipeline.files import replacing, write_bytes, write_json, write_text

WEIGHTS = "weights.safetensors"
NORMALIZATION = "normalization.safetensors"
HISTORY = "history.csv"
METRICS = "metrics.json"
SNAPSHOTS = "snapshots.safetensors"
RECORD = "record.json"
FIGURES = "figures"
TABLES = "tables"
STEPS = ("epoch", "step")
REMEDY = "remove the directory and run `dvc repro`, which makes it again"

# What reading a damaged file may raise, besides OSError.
DAMAGES = (
    *(ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError),
    *(csv.Error, SafetensorError),
)

Row = Mapping[str, float]
T = TypeVar("T")


@dataclass(frozen=True)
class RunDirectory:
    """What `read` found. `history` has one row an epoch or logged step, and none for a closed form."""

    path: Path
    name: str
    experiment: str
    record: dict[str, Any]
    metrics: dict[str, float]
    history: tuple[Row, ...]

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights by name. Raises UserError naming the file where it is missing or damaged."""
        return _load(self.path / WEIGHTS, _parse_weights)

    def snapshots(self) -> dict[int, np.ndarray]:
        """Return the first layer's weights by epoch, where training left them; UserError as for `weights`."""
        path = self.path / SNAPSHOTS
        if not path.exists():
            return {}
        return _load(path, _parse_snapshots)

    @property
    def normalization(self) -> Path | None:
        """The file that says how the inputs were standardised, where they were."""
        path = self.path / NORMALIZATION
        return path if path.exists() else None


def write(
    directory: Path,
    *,
    record: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    metrics: Mapping[str, float],
    history: Sequence[Row] = (),
    normalization: Path | None = None,
    snapshots: Mapping[int, np.ndarray] | None = None,
    figures: Mapping[str, bytes] | None = None,
    tables: Mapping[str, str] | None = None,
) -> None:
    """Write a run directory in place of what is there, whole or not at all, always the same bytes.

    `record` names at least `run` and `experiment`; each row of `history` has `epoch` or `step`;
    `normalization` is a file to copy; `snapshots` are weights by epoch, to look at and so kept in half
    precision; `figures` are PNG files by name, `tables` CSV files. Raises ValueError for a record or
    row without those, and for a metric that is no finite number (in the history it may be any).
    """
    with replacing(directory) as new:
        _fill(new, record, weights, metrics, history)
        if normalization:
            shutil.copyfile(normalization, new / NORMALIZATION)
        if snapshots:
            halves = {f"{epoch:05d}": _half(value) for epoch, value in snapshots.items()}
            _write_tensors(new / SNAPSHOTS, halves)
        for name, png in (figures or {}).items():
            write_bytes(new / FIGURES / name, png)
        for name, text in (tables or {}).items():
            write_text(new / TABLES / name, text)


def _half(value: np.ndarray) -> np.ndarray:
    """Return the numbers in half precision, where they must not become infinite."""
    largest = float(np.finfo(np.float16).max)
    return value.clip(-largest, largest).astype(np.float16)


def read(directory: Path) -> RunDirectory:
    """Read a run directory; the weights only when asked for.

    Raises UserError naming the file and the remedy where one is missing or damaged.
    """
    record = _load(directory / RECORD, _parse_record)
    metrics = _load(directory / METRICS, _parse_metrics)
    history = _load(directory / HISTORY, _parse_history) if (directory / HISTORY).exists() else ()
    return RunDirectory(directory, record["run"], record["experiment"], record, metrics, history)


def fingerprint(directory: Path) -> str:
    """Return the SHA-256 over every file's path and content: it changes with any byte.

    Raises UserError naming the file that can't be read.
    """
    digests = ((name, _load(directory / name, _sha256)) for name in files(directory))
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests)
    return hashlib.sha256(lines.encode()).hexdigest()


def files(directory: Path) -> list[str]:
    """Return the path of every file under the directory, relative, with `/`, sorted."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def step_of(row: Row) -> int:
    """Return the epoch or step of a row. Raises ValueError where it has none."""
    for name in STEPS:
        if name in row:
            return int(row[name])
    raise ValueError(f"history row without {' or '.join(STEPS)}: {dict(row)}")


def _fill(
    directory: Path,
    record: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    metrics: Mapping[str, float],
    history: Sequence[Row],
) -> None:
    _require_names(record)
    write_json(directory / RECORD, dict(record))
    write_json(directory / METRICS, {name: _number(value) for name, value in metrics.items()})
    write_text(directory / HISTORY, _csv(history))
    _write_tensors(directory / WEIGHTS, weights)


def _write_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    # Sorted and contiguous: the bytes depend on the values only.
    arrays = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    path.write_bytes(safetensors.numpy.save(arrays))


def _csv(history: Sequence[Row]) -> str:
    """Return the rows as CSV; repr of a float reads back as the same float."""
    for row in history:
        step_of(row)
    # A dictionary keeps the order of first appearance; sorting only moves the step to the front.
    names = sorted(dict.fromkeys(name for row in history for name in row), key=lambda name: name not in STEPS)
    out = io.StringIO()
    lines = csv.DictWriter(out, names, lineterminator="\n")
    if names:
        lines.writeheader()
    lines.writerows({name: repr(_number(value)) for name, value in row.items()} for row in history)
    return out.getvalue()


def _number(value: Any) -> int | float:
    """Return a Python number for one of NumPy's too."""
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _require_names(record: Mapping[str, Any]) -> None:
    for key in ("run", "experiment"):
        if not isinstance(record.get(key), str):
            raise ValueError(f"record: {key!r} is missing")


def _parse_record(path: Path) -> dict[str, Any]:
    record = dict(json.loads(path.read_text(encoding="utf-8")))
    _require_names(record)
    return record


def _parse_metrics(path: Path) -> dict[str, float]:
    metrics = dict(json.loads(path.read_text(encoding="utf-8")))
    return {name: float(value) for name, value in metrics.items()}


def _parse_history(path: Path) -> tuple[Row, ...]:
    with path.open(encoding="utf-8", newline="") as lines:
        history = tuple(_numbers(row) for row in csv.DictReader(lines))
    for row in history:
        step_of(row)
    return history


def _numbers(row: Mapping[str, str]) -> Row:
    """Read the cells; an empty one says that this step has no such value."""
    return {name: float(cell) for name, cell in row.items() if cell}


def _parse_weights(path: Path) -> dict[str, np.ndarray]:
    weights = safetensors.numpy.load(path.read_bytes())
    for name, value in weights.items():
        if not value.size:
            raise ValueError(f"{name} is empty")
    return weights


def _parse_snapshots(path: Path) -> dict[int, np.ndarray]:
    stored = safetensors.numpy.load(path.read_bytes())
    return {int(epoch): stored[epoch] for epoch in sorted(stored)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(path: Path, parse: Callable[[Path], T]) -> T:
    """Parse a file; UserError in one line where it can't be."""
    try:
        return parse(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {REMEDY}") from error
    except DAMAGES as error:
        raise UserError(f"{path}: is damaged ({printable(str(error))}); {REMEDY}") from error
