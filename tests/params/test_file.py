"""What kind of file params.yaml may be, and that a stage is told only of what it asks for."""

import os
import sys
from pathlib import Path

import pytest

from pipeline import params
from pipeline.errors import UserError
from pipeline.params.seed import SeedParams
from pipeline.params.shared import DescentParams, PenaltyParams
from pipeline.params.train import SoftmaxParams
from tests.params.shipped import DATA, FILE, load, refusal

SHIPPED = FILE.read_text(encoding="utf-8")
READ: list[str] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == params.READ:
        READ.append(str(arguments[0]))


sys.addaudithook(_hear)  # for good: Python can't take one away again


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "expected sections, found None"),
        ("- 1\n- 2\n", "expected sections, found [1, 2]"),
        ("threads: [1", "1:12: expected ',' or ']'"),
        ("threads: !!python/object:os.system rm\n", "1:10: could not determine a constructor for the tag"),
        ("seed: 0\nseed: 1\n", '2:1: found duplicate key "seed"'),
        (b"seed: \xff\n", "is not UTF-8 text"),
        ("seed: \x07\n", "is no YAML"),
        ("a: *nobody\n", "1:4: found undefined alias"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_place(content, says, tmp_path):
    assert refusal(tmp_path, content).startswith(says)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_refused_and_not_waited_for(make, tmp_path):
    make(tmp_path / "params.yaml")
    with pytest.raises(UserError, match=r"params.yaml: is no file; move it away, and `git checkout HEAD -- "):
        params.read(tmp_path / "params.yaml")


def test_nested_aliases_are_refused_without_being_spelt_out(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    bomb = "\n".join(lines) + "\n"
    shown = "a0 = [1, 1, 1, 1, 1, 1, ...]"
    assert refusal(tmp_path, SHIPPED + bomb).startswith(f"{shown}: unknown key; allowed: ")
    for value in ("threads: 2", "seed: 0"):
        key = value.split(":")[0]
        message = refusal(tmp_path, bomb + SHIPPED.replace(value, f"{key}: *a29", 1))
        assert message.startswith(f"{key} = [[[...]")


def test_deep_nesting_is_refused(tmp_path):
    assert refusal(tmp_path, "seed: " + "[" * 5000 + "]" * 5000).startswith("is no YAML (RecursionError: ")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file; run in the folder that holds it"):
        params.read(tmp_path / "params.yaml")


def test_a_number_is_one_however_it_is_written(tmp_path):
    changed = SHIPPED.replace("strength: 5.0e-5", "strength: 5e-5")
    assert changed != SHIPPED
    assert load(tmp_path, changed).train.two_layer.penalty.strength == 0.00005


def test_a_section_is_read_alone_and_its_name_is_told():
    READ.clear()
    penalty = params.load(PenaltyParams, "train.softmax.penalty", file=FILE)
    assert penalty.model_dump() == DATA["train"]["softmax"]["penalty"]
    assert READ == ["train.softmax.penalty"]


def test_only_the_fields_asked_for_are_read_and_told():
    READ.clear()
    taken = params.load_fields(DescentParams, "train.two_layer", file=FILE)
    assert taken.learning_rate == DATA["train"]["two_layer"]["learning_rate"]
    assert params.load_fields(SeedParams, file=FILE).seed == DATA["seed"]
    names = ("learning_rate", "momentum", "batch_size", "penalty")
    assert [*(f"train.two_layer.{name}" for name in names), "seed"] == READ


def test_a_window_is_refused_where_samples_are_drawn_with_replacement(tmp_path):
    file = tmp_path / "params.yaml"
    drawn = SHIPPED.replace("replacement: false", "replacement: true")
    file.write_text(drawn)
    assert params.load(SoftmaxParams, "train.softmax", file=file).replacement
    file.write_text(drawn.replace("window: null", "window: 4096"))
    with pytest.raises(
        UserError, match=r"train\.softmax\.window = 4096: allowed is null where `replacement` is true"
    ):
        params.load(SoftmaxParams, "train.softmax", file=file)


def test_a_wrong_field_that_nobody_asked_for_does_no_harm(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(SHIPPED.replace("seed: 0", "seed: zero"))
    assert params.load(PenaltyParams, "train.softmax.penalty", file=file)
    with pytest.raises(UserError, match="seed = 'zero': allowed is a valid integer"):
        params.load_fields(SeedParams, file=file)


def test_a_section_that_is_missing_is_named(tmp_path: Path):
    file = tmp_path / "params.yaml"
    file.write_text("train: {softmax: 1}\n")
    with pytest.raises(UserError, match=r"params.yaml: train.softmax.penalty: is missing or no section"):
        params.load(PenaltyParams, "train.softmax.penalty", file=file)


@pytest.mark.parametrize("key", ["a\\nb", "\\e[31m", "a\\rb", "\\u2028"])
def test_an_unknown_key_with_control_characters_is_still_one_printable_line(key, tmp_path):
    assert "unknown key" in refusal(tmp_path, f'{SHIPPED}\n"{key}": 1\n')


@pytest.mark.parametrize("written", ["{key}: 1", "? [{key}]\n: 1", "{key}: 1\n{key}: 1", "seed: *{key}"])
def test_a_key_of_any_length_is_cut_in_the_message(written, tmp_path):
    assert "k" * 200 in refusal(tmp_path, SHIPPED + "\n" + written.format(key="k" * 900))


@pytest.mark.parametrize(
    ("right", "misspelled", "shown"),
    [("\nseed: 0", "\nsead: 0", "sead = 0"), ("    epochs: 8", "    epoch: 8", "train.softmax.epoch = 8")],
)
def test_of_a_misspelled_key_what_stands_in_the_file_is_named(right, misspelled, shown, tmp_path):
    said = refusal(tmp_path, SHIPPED.replace(right, misspelled, 1))
    assert said.startswith(f"{shown}: unknown key; allowed: ")
