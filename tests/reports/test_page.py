"""The page itself: whole in one file, the same every time, well formed, readable by everybody."""

import json
import re
from html import escape
from itertools import pairwise
from pathlib import Path

import pytest

from tests.reports.markup import read

ROOT = Path(__file__).parents[2]
HOSTILE = "<b onmouseover='alert(1)'>\"&`\u202e"


def test_elements_that_do_not_nest_are_found():
    for broken in ("<p><b>x</p></b>", "<p>x", "x</p>", "<p class=a class=b>x</p>"):
        with pytest.raises(AssertionError):
            read(broken)


def test_the_page_is_one_strict_document_in_english(html, page):
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    assert html.endswith("</html>\n")
    assert page.one("html").attributes["lang"] == "en"
    assert page.one("title").text.startswith("Gradline: report of ")
    assert page.one("meta", charset="utf-8")
    # What a browser would close by itself, and so tear apart.
    assert not [inner for each in page.all("p") for inner in each.all("p", "div", "ul", "table", "figure")]


def test_nothing_is_fetched_and_nothing_runs(page):
    assert not list(page.all("script", "iframe", "object", "embed", "base", "source", "video", "form"))
    assert not [name for each in page.all() for name in each.attributes if name.startswith("on")]
    assert all(each.attributes["src"].startswith("data:image/png;base64,") for each in page.all("img"))
    assert {each.attributes["href"] for each in page.all("link")} == {"data:,"}
    assert not re.search(r"url\(|@import|https?:|//[a-z]", page.one("style").text)
    addresses = {each.attributes["href"] for each in page.all("a")}
    outside = {address for address in addresses if not address.startswith(("#", "../docs/exercises/"))}
    assert not outside
    policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_entry_of_the_contents_leads_to_its_heading(page):
    entries = [each.attributes["href"][1:] for each in page.one("nav").all("a")]
    headings = [each.attributes["id"] for each in page.one("main").all("h2")]
    assert entries == headings
    identifiers = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(set(identifiers)) == len(identifiers)
    labels = {
        each.attributes["aria-labelledby"] for each in page.all() if "aria-labelledby" in each.attributes
    }
    assert labels <= set(identifiers)


def test_headings_descend_one_level_at_a_time(page):
    levels = [int(each.tag[1]) for each in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))


def test_every_picture_has_its_finding_in_words_and_its_size(page):
    images = list(page.all("img"))
    assert len(images) == 10 * 4 + 4 + 6 + 1
    alts = [each.attributes["alt"] for each in images]
    assert all(len(alt) > 20 for alt in alts)
    assert len(set(alts)) == len(alts)
    assert {(each.attributes["width"], each.attributes["height"]) for each in images} >= {("40", "30")}
    assert len(list(page.all("figcaption"))) == len(images)


def test_every_table_has_a_caption_and_headers_with_their_scope(page):
    tables = list(page.all("table"))
    assert len(tables) == 8 + 2 * 6
    for table in tables:
        assert table.one("caption").text
        assert {each.attributes["scope"] for each in table.one("thead").all("th")} == {"col"}
        rows = list(table.one("tbody").all("tr"))
        widths = {len(list(row.all("th", "td"))) for row in rows}
        assert widths == {len(list(table.one("thead").all("th")))}
        assert all(row.one("th").attributes["scope"] == "row" for row in rows)
        # On a phone a cell stands beside the name of its column.
        assert all(cell.attributes["data-column"] for cell in table.all("td"))


def test_it_is_laid_out_for_dark_rooms_phones_and_paper(page):
    style = page.one("style").text
    for rule in ("prefers-color-scheme: dark", "max-width: 50rem", "@media print", "size: A4"):
        assert rule in style
    paper = style[style.index("@media print") :]
    for rule in ("details::details-content", "break-inside: avoid", "break-before: page", "attr(href)"):
        assert rule in paper


def test_its_commands_exist(page):
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    section = page.section("reproduce")
    named = [each.text for each in section.all("dt")]
    assert named
    assert all(name.removeprefix("make ") in targets for name in named)


def test_another_folder_time_zone_locale_user_and_host_change_no_byte(html, run, project):
    others = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "USER": "nobody", "HOSTNAME": "elsewhere"}
    done = run(**others, HOME=str(project), PYTHONHASHSEED="7")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"report: results/report\.html \(\d\.\d MB\)\n", done.stdout)
    assert (project / "results/report.html").read_bytes() == html.encode()
    assert str(project.parent) not in html


def test_neither_mlflow_nor_torch_nor_a_drawing_is_needed(run, project):
    missing = dict.fromkeys(("mlflow", "torch", "sklearn", "matplotlib"))
    (project / "sitecustomize.py").write_text(f"import sys\nsys.modules.update({missing})\n")
    done = run(PYTHONPATH=f"{project}:{ROOT}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("run_of", ["softmax-manual", "two_layer-manual"])
def test_a_hostile_name_is_text_and_nothing_else(written, change, project, run_of):
    folder = project / "results/evaluation"
    (folder / run_of).rename(folder / HOSTILE)
    change("results/evaluation.json", lambda runs: runs.update({HOSTILE: runs.pop(run_of)}))
    change(folder / "mcnemar.json", lambda pairs: json.loads(_renamed(pairs, run_of)))
    page = written()
    assert not list(page.all("b"))
    named = HOSTILE.replace("`", "")  # which marks code
    assert any(row[0].startswith(named) for row in page.rows("Every run"))
    assert any(named in row[:2] for row in page.rows("Run against run"))
    assert any(each.attributes["alt"].startswith(f"{HOSTILE}: ") for each in page.all("img"))
    text = (project / "results/report.html").read_text(encoding="utf-8")
    assert "<b " not in text
    assert escape("<b onmouseover", quote=False) in text


def _renamed(pairs: object, run: str) -> str:
    return json.dumps(pairs).replace(json.dumps(run), json.dumps(HOSTILE))


def test_hostile_parameters_and_claims_are_text(written, change, project):
    path = project / "params.yaml"
    path.write_text(path.read_text() + "# </pre><script>alert(1)</script>\n")
    claim = {"says": "<img src=x onerror=alert(1)>", "found": "</td>", "allowed": "{{ 7 * 7 }}"}
    change("results/exercises/spiral.json", lambda found: found["asked"]["claims"].append(claim))
    page = written()
    assert not list(page.all("script"))
    assert page.section("exercise-spiral").rows("Claims as asked")[-1] == list(claim.values())
    assert "</pre><script>" in page.section("parameters").one("pre").text
