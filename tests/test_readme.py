"""What README.md shows is what the pipeline produced, and what it names exists."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.commands import docs
from pipeline.tracking.scored_model import ScoredModel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_its_diagram_and_comparison_are_those_of_the_last_run():
    assert docs.filled(README) == README, "the pipeline has run since: `make docs`"


def test_a_number_changed_by_hand_is_found():
    shown = re.search(r"\d\.\d\d%", README)
    assert shown
    typed = README.replace(shown[0], "0.42%", 1)
    assert docs.filled(typed) == README != typed


def test_its_served_answer_is_that_of_the_best_model_to_the_example():
    answer = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert answer
    shown = np.array(json.loads(answer[1])["predictions"])
    assert (shown.shape, shown.argmax()) == ((1, 10), 7)
    assert "of which 7 is the largest" in README
    assert shown.sum() == pytest.approx(1, abs=1e-3)
    evaluated = json.loads((ROOT / "results/evaluation.json").read_text())
    best = ROOT / "results/runs" / min(evaluated, key=lambda name: evaluated[name]["validation/error"])
    if best.is_dir():  # a fresh clone has no models
        image = json.loads((ROOT / "docs/examples/digit.json").read_text())["inputs"]
        assert abs(shown - ScoredModel(best).predict(np.array(image))).max() < 1e-3


def test_its_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`", README)) | set(
        re.findall(r"^make ([a-z]+)", README, re.MULTILINE)
    )
    assert named
    assert named <= targets


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert all((ROOT / link).exists() for link in links)
