import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.tracking import run_directory

RECORD = {"run": "softmax-manual", "experiment": "mnist", "something": {"unknown": [1, None]}}
WEIGHTS = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3)}


def write(directory: Path, **changes: object) -> Path:
    contents: dict = {"record": RECORD, "weights": WEIGHTS, "metrics": {"test/accuracy": 0.5}, **changes}
    run_directory.write(directory, **contents)
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in run_directory.files(directory)}


def test_a_snapshot_of_weights_beyond_half_precision_holds_no_infinity(tmp_path: Path) -> None:
    weights = np.array([[1e30, -1e30, 0.5]], np.float32)
    read = run_directory.read(write(tmp_path / "a", snapshots={1: weights}))
    assert read.snapshots()[1].tolist() == [[65504.0, -65504.0, 0.5]]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.write_bytes(b"mean and std")
    directory = write(tmp_path / "runs" / "a", normalization=inputs, figures={"f.png": b"png"})
    read = run_directory.read(directory)
    assert (read.path, read.name, read.experiment) == (directory, "softmax-manual", "mnist")
    assert (read.record, read.metrics, read.history) == (RECORD, {"test/accuracy": 0.5}, ())
    assert all(np.array_equal(read.weights()[name], WEIGHTS[name]) for name in WEIGHTS)
    assert read.normalization
    assert read.normalization.read_bytes() == b"mean and std"
    assert (directory / "figures" / "f.png").read_bytes() == b"png"


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_history_keeps_every_float_exactly(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    rows = [{"step": i, "train/loss": value} for i, value in enumerate(values)]
    directory = write(tmp_path_factory.mktemp("history") / "a", history=rows)
    read = [row["train/loss"] for row in run_directory.read(directory).history]
    assert np.array_equal(read, values, equal_nan=True)


def test_history_begins_with_the_step_and_takes_numpy_numbers_and_gaps(tmp_path: Path) -> None:
    rows = [
        {"train/loss": np.float32(0.1), "epoch": np.int64(1)},
        {"train/loss": 0.1, "epoch": 2, "validation/accuracy": np.float64(0.1)},
    ]
    directory = write(tmp_path / "a", history=rows)
    assert (directory / "history.csv").read_text() == (
        "epoch,train/loss,validation/accuracy\n1,0.10000000149011612,\n2,0.1,0.1\n"
    )
    assert run_directory.read(directory).history[0] == {"epoch": 1, "train/loss": 0.10000000149011612}


def test_the_same_content_is_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    first = write(tmp_path / "a", metrics={"a": 1, "b": 2.5})
    transposed = {"b": WEIGHTS["b"], "W": np.asfortranarray(WEIGHTS["W"])}
    record = dict(reversed(RECORD.items()))
    second = write(tmp_path / "b", metrics={"b": 2.5, "a": 1}, weights=transposed, record=record)
    assert contents(first) == contents(second)
    assert run_directory.fingerprint(first) == run_directory.fingerprint(second)


@pytest.mark.parametrize(
    "fault",
    [
        {"metrics": {"a": math.nan}},
        {"metrics": {"a": math.inf}},
        {"record": {"run": "x"}},
        {"history": [{"train/loss": 1.0}]},
    ],
)
def test_what_cannot_be_written_leaves_the_old_directory_and_nothing_else(
    tmp_path: Path, fault: dict
) -> None:
    directory = write(tmp_path / "a")
    before = contents(directory)
    with pytest.raises(ValueError):  # noqa: PT011
        write(directory, **fault)
    assert contents(directory) == before
    assert list(tmp_path.iterdir()) == [directory]


def test_a_failing_last_rename_leaves_the_old_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write(tmp_path / "a")
    before = contents(directory)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if ".new." in self.name:
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="disk full"):
        write(directory, metrics={"other": 1})
    assert contents(directory) == before
    assert list(tmp_path.iterdir()) == [directory]


def test_writing_again_replaces_the_whole_directory(tmp_path: Path) -> None:
    write(tmp_path / "a", figures={"old.png": b""})
    directory = write(tmp_path / "a", metrics={"new": 1})
    assert run_directory.read(directory).metrics == {"new": 1}
    assert not (directory / "figures").exists()
    assert list(tmp_path.iterdir()) == [directory]


@given(data=st.data())
def test_the_fingerprint_changes_with_any_byte(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = write(tmp_path_factory.mktemp("f") / "a", history=[{"step": 0, "train/loss": 0.5}])
    before = run_directory.fingerprint(directory)
    path = directory / data.draw(st.sampled_from(run_directory.files(directory)))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert run_directory.fingerprint(directory) != before


def test_the_fingerprint_changes_with_a_name_and_with_a_new_empty_file(tmp_path: Path) -> None:
    directory = write(tmp_path / "a")
    before = run_directory.fingerprint(directory)
    (directory / "empty").touch()
    with_empty = run_directory.fingerprint(directory)
    (directory / "empty").rename(directory / "empty2")  # at the same place in the order
    assert len({before, with_empty, run_directory.fingerprint(directory)}) == 3


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("record.json", "{"),
        ("record.json", "[]"),
        ("record.json", json.dumps({"run": "x"})),
        ("metrics.json", '{"a": "b"}'),
        ("metrics.json", "1"),
        ("history.csv", "epoch,loss\n1,two\n"),
        ("history.csv", "loss\n1\n"),
        ("history.csv", "epoch\n1,2\n"),
        ("record.json", "\udce9"),
        ("weights.safetensors", "short"),
        ("record.json", '{"run": ' + "[" * 100_000),
        ("metrics.json", '{"a": 1' + "0" * 400 + "}"),
        ("history.csv", "epoch,loss\ninf,1\n"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, name: str, damage: str) -> None:
    directory = write(tmp_path / "a")
    (directory / name).write_bytes(damage.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=name) as caught:
        run_directory.read(directory).weights()
    assert "\n" not in str(caught.value)
    assert "dvc repro" in str(caught.value)


@pytest.mark.parametrize("name", ["record.json", "metrics.json", "weights.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    directory = write(tmp_path / "a")
    (directory / name).unlink()
    with pytest.raises(UserError, match=f"{name}: No such file"):
        run_directory.read(directory).weights()


def test_the_stage_side_imports_nothing_heavy() -> None:
    code = "import sys, pipeline.tracking.run_directory, pipeline.tracking.reporter; print(*sys.modules)"
    root = Path(run_directory.__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    forbidden = {"mlflow", "pandas", "ruamel", "pipeline.tracking.projection", "pipeline.learning"}
    assert not forbidden & set(done.stdout.split())
