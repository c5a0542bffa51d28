"""What README.md shows is what the pipeline produced, and what it names exists."""

import re
from pathlib import Path

import pytest

from pipeline.commands import docs

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
