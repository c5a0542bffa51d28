"""The benchmark's programs answer alike on little data, and its page shows what was measured."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import growth, plots, tables
from benchmarks.networks import PROGRAMS
from benchmarks.without import STEPS
from pipeline.datasets import splits

ROOT = Path(__file__).parents[1]
SECTIONS = ("machine", "networks", "steps", "race", "hidden", "samples", "nothing_changed", "publishing")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """300 images to train on and 100 to test, of classes that differ in a band of pixels."""
    folder = tmp_path_factory.mktemp("splits")
    rng = np.random.default_rng(0)
    bands = np.pad(np.kron(np.eye(10), np.ones((1, 78))), ((0, 0), (0, 4)))
    for name, count in (("train", 300), ("test", 100)):
        labels = rng.permutation(count) % 10
        images = bands[labels] + 0.5 * rng.standard_normal((count, 784))
        splits.write(folder / name, images.astype(np.float32), labels)
    return folder


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(name, marks=[] if name == "manual" else pytest.mark.slow)
        for name in PROGRAMS
        if name != "PyTorch compiled"
    ],
)
def test_a_program_trains_the_network_and_answers_in_one_line(data, program):
    command = [*PROGRAMS[program], "--data", str(data), "--hidden", "16", "--batch-size", "20"]
    done = subprocess.run(
        [sys.executable, *command, "--epochs", "4"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    answer = json.loads(done.stdout)
    assert len(answer["seconds"]) == 4
    assert answer["accuracy"] > 0.9


def test_what_is_taken_back_of_the_engine_leaves_what_it_computes(data):
    told = ["--data", str(data), "--hidden", "16", "--batch-size", "20", "--epochs", "2"]
    done = [
        subprocess.run(
            [sys.executable, *PROGRAMS["manual"], *told, *more],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(ROOT)},
        ).stdout
        for more in ([], *(["--without", name] for name in STEPS))
    ]
    assert len({json.loads(answer)["accuracy"] for answer in done}) == 1


def test_copies_are_distorted_and_their_labels_are_the_originals(data, tmp_path):
    folder = growth.copies(data, tmp_path / "copies", 3)
    images, labels = splits.read(folder / "train")
    originals, digits = splits.read(data / "train")
    np.testing.assert_array_equal(labels, np.tile(digits, 3))
    assert len({block.tobytes() for block in (originals, *np.split(np.asarray(images), 3))}) == 4


def test_the_page_shows_what_the_last_benchmark_measured():
    found = json.loads((ROOT / "results/benchmark.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert set(found) == set(SECTIONS)
    for section in SECTIONS:
        between = page.split(f"<!-- {section} -->\n")[1].split(f"<!-- /{section} -->")[0]
        assert between.strip() == "\n".join(tables.of({section: found[section]})).strip()


@pytest.mark.parametrize("name", plots.PICTURES)
def test_the_pages_pictures_show_it_too(name):
    found = json.loads((ROOT / "results/benchmark.json").read_text(encoding="utf-8"))
    drawn, kept = (
        # Pixels, since how far a PNG is compressed depends on the machine.
        np.asarray(Image.open(source).convert("RGB"), np.int16)
        for source in (io.BytesIO(plots.PICTURES[name](found)), plots.FOLDER / f"{name}.png")
    )
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).mean() < 0.1


def test_a_number_changed_by_hand_would_be_seen():
    found = json.loads((ROOT / "results/benchmark.json").read_text(encoding="utf-8"))
    shown = tables.of({"publishing": found["publishing"]})
    found["publishing"]["seconds"] += 0.01
    assert tables.of({"publishing": found["publishing"]}) != shown
