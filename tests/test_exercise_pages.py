"""The pages of the exercises show what the pipeline produced."""

import json
import re
from pathlib import Path

import pytest

from pipeline.commands import docs
from pipeline.errors import UserError
from pipeline.exercises import NAMES

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(params=NAMES)
def page(request):
    return ROOT / f"docs/exercises/{request.param}.md"


def test_a_page_shows_what_its_exercise_found(page):
    text = page.read_text(encoding="utf-8")
    assert docs.filled_exercise(text, page.stem) == text, "the pipeline has run since: `make docs`"


def test_a_page_has_the_picture_the_lines_the_claims_and_results(page):
    text = page.read_text(encoding="utf-8")
    assert f"](../../results/exercises/{page.stem}.png)" in text
    assert f"python -m pipeline exercise {page.stem}\n" in text
    assert docs.VALUE.search(text)
    assert {found["what"] for found in docs.BLOCK.finditer(text)} == {"printed", "claims"}
    assert text.count("<!-- = ") == len(docs.VALUE.findall(text)) == text.count("<!-- / -->")


def test_a_number_changed_by_hand_is_found(page):
    text = page.read_text(encoding="utf-8")
    typed = docs.VALUE.sub(r"\g<1>42.5", text)
    assert docs.filled_exercise(typed, page.stem) == text != typed


def test_a_result_that_drifts_is_found(page, tmp_path, monkeypatch):
    found = json.loads((docs.FOUND / f"{page.stem}.json").read_text())
    found["answered"]["printed"][0] += " "
    (tmp_path / f"{page.stem}.json").write_text(json.dumps(found))
    monkeypatch.setattr(docs, "FOUND", tmp_path)
    text = page.read_text(encoding="utf-8")
    if "<!-- printed answered -->" in text:
        assert docs.filled_exercise(text, page.stem) != text
    else:
        assert "<!-- printed asked -->" in text


def test_its_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert links
    assert all((page.parent / link).exists() for link in links)


def test_a_marker_of_no_result_is_named():
    with pytest.raises(UserError, match="spiral.md: network/speed: there is no such result"):
        docs.filled_exercise("<!-- = asked/network/speed:.2f -->1<!-- / -->", "spiral")


def test_before_the_pipeline_has_run_it_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="run `dvc repro exercise@spiral` first"):
        docs.filled_exercise("", "spiral")


def test_a_result_that_there_is_none_of_is_a_dash(monkeypatch, tmp_path):
    monkeypatch.setattr(docs, "FOUND", tmp_path)
    found = {"asked": {"results": {"accuracy": None}}}
    (tmp_path / "spiral.json").write_text(json.dumps(found))
    marker, end = "<!-- = asked/accuracy:.2% -->", "<!-- / -->"
    assert docs.filled_exercise(f"{marker}1{end}", "spiral") == f"{marker}–{end}"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"answered": 1}', "\udcff", "[" * 100_000])
def test_damaged_results_are_told_in_one_line(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    docs.FOUND.mkdir(parents=True)
    (docs.FOUND / "spiral.json").write_bytes(content.encode(errors="surrogateescape"))
    told = r"^results/exercises/spiral\.json: is damaged \(.*\); run `dvc repro --force exercise@spiral`$"
    with pytest.raises(UserError, match=told):
        docs.filled_exercise("<!-- = answered/accuracy:.2f -->1<!-- / -->", "spiral")
