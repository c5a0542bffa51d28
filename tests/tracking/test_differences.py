"""What is named where two run directories differ."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from pipeline.tracking import differences
from pipeline.tracking.differences import Sides

SIDES = Sides("here", "there")
Pair = tuple[Path, Path]


@pytest.fixture
def pair(bare_repository: Path, leave_run: Callable[..., Path]) -> Pair:
    return leave_run().rename("a"), leave_run().rename("b")


def named(pair: Pair) -> list[str]:
    return list(differences.between(*pair, SIDES))


def weights(directory: Path) -> dict[str, np.ndarray]:
    return dict(safetensors.numpy.load_file(directory / "weights.safetensors"))


def put(directory: Path, tensors: dict[str, np.ndarray]) -> None:
    (directory / "weights.safetensors").write_bytes(safetensors.numpy.save(tensors))


def test_the_same_bytes_differ_in_nothing(pair: Pair) -> None:
    assert named(pair) == []


def test_of_the_weights_the_largest_difference_is_named_relative_to_its_tensor(pair: Pair) -> None:
    put(pair[0], {"W": np.array([[0.0, 4.0], [1.0, 2.0]]), "b": np.array([10.0])})
    put(pair[1], {"W": np.array([[0.1, 4.0], [1.0, 3.0]]), "b": np.array([11.0])})
    assert named(pair) == ["weights.safetensors: W[1, 1] is 2.0 here, 3.0 there, 2.5e-01 of the largest in W"]


@pytest.mark.parametrize(("first", "second"), [(1.0, math.nan), (math.inf, -math.inf), (math.nan, math.inf)])
def test_what_is_no_number_differs_from_any(pair: Pair, first: float, second: float) -> None:
    both = math.nan, math.inf, 1e300
    put(pair[0], {"W": np.array([*both, first])})
    put(pair[1], {"W": np.array([*both, second])})
    assert named(pair)[0].startswith(f"weights.safetensors: W[3] is {first} here, {second} there, inf")


def test_another_shape_type_or_tensor_is_named(pair: Pair) -> None:
    tensors = weights(pair[0])
    put(pair[1], {**tensors, "W": tensors["W"].T.copy()})
    assert named(pair) == ["weights.safetensors: W is float32 (784, 10) here, float32 (10, 784) there"]
    put(pair[1], {**tensors, "b": tensors["b"].astype(np.float64)})
    assert named(pair) == ["weights.safetensors: b is float32 (10,) here, float64 (10,) there"]
    put(pair[1], {"W": tensors["W"]})
    assert named(pair) == ["weights.safetensors: b is float32 (10,) here, none there"]


def test_a_metric_a_parameter_a_row_and_a_picture_are_named_after_the_weights(pair: Pair) -> None:
    other = pair[1]
    put(other, {**weights(other), "b": np.zeros(10, np.float32)})
    for name, keys in {"metrics.json": ["best_epoch"], "record.json": ["parameters", "seed"]}.items():
        content = json.loads((other / name).read_text())
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = 9
        (other / name).write_text(json.dumps(content))
    history = other / "history.csv"
    history.write_text(history.read_text().replace("0.5", "0.25").replace("0.93", "0.1"))
    (other / "figures/curves.png").write_bytes(b"other")
    (other / "figures/new.png").write_bytes(b"new")
    assert named(pair) == [
        "weights.safetensors: b[0] is 1.0 here, 0.0 there, 1.0e+00 of the largest in b",
        "metrics.json: best_epoch is 2 here, 9 there",
        "record.json: parameters.seed is 0 here, 9 there",
        "history.csv: row 2, train/loss is 0.5 here, 0.25 there, and 1 more",
        "figures/curves.png: its bytes differ",
        "figures/new.png: only there",
    ]


def test_of_long_texts_one_line_shows_where_they_begin_to_differ(pair: Pair) -> None:
    for path, word in zip(pair, ("right", "wrong"), strict=True):
        text = "**A model.**\n\n" + "It learns. " * 20 + f"It is {word}\nand " + "goes on. " * 20
        (path / "record.json").write_text(json.dumps({"description": text}))
    assert named(pair) == [
        "record.json: description is "
        "…s. It learns. It is right\\nand goes on. goes on. goes on. go… here, "
        "…s. It learns. It is wrong\\nand goes on. goes on. goes on. go… there"
    ]


def test_a_row_more_is_named(pair: Pair) -> None:
    with (pair[1] / "history.csv").open("a") as file:
        file.write("4,0.2,0.9\n")
    assert named(pair) == ["history.csv: row 4, epoch is none here, 4 there, and 2 more"]


@pytest.mark.parametrize("name", ["weights.safetensors", "metrics.json", "history.csv"])
def test_a_damaged_file_is_named_and_stops_nobody(pair: Pair, name: str) -> None:
    (pair[1] / name).write_bytes(b"\xff\x00")
    [line] = named(pair)
    assert line == f"{name}: its bytes differ, and one of them is damaged"


def test_other_bytes_of_the_same_content_are_told(pair: Pair) -> None:
    metrics = pair[1] / "metrics.json"
    metrics.write_text(metrics.read_text() + "\n")
    assert named(pair) == ["metrics.json: its bytes differ"]
