"""What the report says is what the files say."""

import base64
import importlib
import json
import subprocess

import pytest

from pipeline.exercises import NAMES
from pipeline.figures import comparison
from pipeline.figures.comparison import PAIRS, RUNS, Pair
from pipeline.learning.evaluation import McNemar
from tests.reports.conftest import COUNTS, IMAGES, PICTURES
from tests.reports.markup import Element, markdown_rows


@pytest.fixture
def load(made):
    return lambda name: json.loads((made / f"results/{name}.json").read_text())


@pytest.fixture
def best(load) -> str:
    """The best run by validation: another on another kind of machine."""
    measured = load("evaluation")
    return min(measured, key=lambda run: measured[run]["validation/error"])


@pytest.fixture
def markdown(load) -> str:
    """The comparison as the stage evaluate writes it for the README, from the same numbers."""
    pairs = [Pair(a, b, McNemar(*counts)) for (a, b), counts in zip(PAIRS, COUNTS, strict=False)]
    return comparison.markdown(load("evaluation"), pairs, IMAGES)


def test_the_runs_are_those_of_the_comparison_in_its_order(page, markdown, best):
    header, *rows = markdown_rows(markdown, "run | what it is")
    found = page.rows("Every run")
    assert found[0] == [header[0], *header[2:]]
    marked = [[f"{run} (best by validation)" if run == best else run, *cells] for run, _, *cells in rows]
    assert found[1:] == marked
    heads = list(page.section("comparison").all("th", scope="row"))[: len(rows)]
    assert [head.one("small").text for head in heads] == [what for _, what, *_ in rows]


def test_the_paired_tests_and_the_published_errors_are_those_of_the_comparison(page, markdown):
    assert page.rows("Run against run") == markdown_rows(markdown, "A | B")
    assert page.rows("Published test error") == markdown_rows(markdown, "model | published")
    assert f"the same {IMAGES} test images" in page.section("comparison").text


def test_every_gradient_shows_its_worst_error_the_bound_and_that_it_passes(page, load):
    found = load("gradients")
    header, *rows = page.rows("Hand-derived gradients")
    kinds = ("autograd_float64", "autograd_float32", "directions", "coordinates")
    for name, kind in zip(header[1:5], kinds, strict=True):
        assert name.endswith(f"(at most {found['bounds'][kind]:.0e})")
    for model, checks in found["worst_relative_errors"].items():
        assert [model, *(f"{max(checks[kind].values()):.1e}" for kind in kinds), "pass"] in rows
    assert len(rows) == len(found["worst_relative_errors"])


def test_the_regressions_prediction_and_gap_are_those_found(page, load):
    digits, polynomial = load("regression")["digits"], load("regression")["polynomial"]
    section = page.section("regression")
    assert [each.text for each in section.all("strong")] == [
        f"{digits['iterations']:,}",
        f"{digits['gap']:.1e}",
    ]
    rows = page.rows("Ridge regression on digits")[1:]
    expected = [
        [f"{each['ridge']:g}", f"{each['condition_number']:,.1f}", f"{each['gap']:.1e}", verdict]
        for each, verdict in zip(
            (digits, *digits["weaker"]), ("pass", "not reached", "not reached"), strict=True
        )
    ]
    assert rows == expected
    powers = page.rows("A polynomial through")[1:]
    assert [row[0] for row in powers] == ["x²", "x", "constant"]
    for way, place in (("closed_form", 1), ("gradient_descent", 2)):
        assert [row[place] for row in powers] == [f"{each:.3g}" for each in polynomial["coefficients"][way]]
    assert f"{polynomial['iterations']:,} iterations" in section.text


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_has_its_question_answer_figure_and_every_claim(page, load, made, name):
    section = page.section(f"exercise-{name}")
    found = load(f"exercises/{name}")
    module = importlib.import_module(f"pipeline.exercises.{name}")
    assert section.one("h3").text == module.TITLE
    for said in (module.QUESTION, module.ANSWER):
        assert " ".join(said.split()) in section.text
    assert _bytes(section.one("img")) == (made / f"results/exercises/{name}.png").read_bytes()
    claims = [found[variant]["claims"] for variant in ("asked", "answered")]
    assert section.one("summary").text == f"All {sum(map(len, claims))} claims hold"
    for variant, each in zip(("asked", "answered"), claims, strict=True):
        shown = [[" ".join(claim[key].split()) for key in ("says", "found", "allowed")] for claim in each]
        assert section.rows(f"Claims as {variant}")[1:] == shown
    assert section.one("a").attributes["href"] == f"../docs/exercises/{name}.md"


def test_the_figures_of_speed_are_those_measured(page, load):
    found = load("benchmark")

    def shown(row) -> str:
        return f"{row['median']:.2f} ({row['low']:.2f} – {row['high']:.2f})"

    race = sorted(found["race"].items(), key=lambda item: item[1]["median"])
    assert page.rows("From files")[1:] == [[name, shown(row), f"{row['accuracy']:.2%}"] for name, row in race]
    header, *rows = page.rows("An epoch")
    assert header[1:] == sorted(found["networks"])
    quickest = [min(network[row[0]]["median"] for network in found["networks"].values()) for row in rows]
    assert quickest == sorted(quickest)
    assert {row[0] for row in rows} == set(found["networks"][header[1]])
    for program, *cells in rows:
        assert cells == [shown(found["networks"][name][program]) for name in header[1:]]
    assert found["machine"]["processor"] in page.section("performance").text


def test_the_environment_is_that_of_the_lock_file_and_of_the_stages(page, load, made):
    text = page.section("environment").text
    pins = dict(
        line.split("==") for line in (made / "requirements/runtime.txt").read_text().split("\n")[1:-1]
    )
    for library in ("numpy", "torch", "scikit-learn", "mlflow", "dvc"):
        assert f"{library} {pins[library]}" in text
    platform = load("platform")["evaluate"]
    kind = f"{platform['processor']}, BLAS architecture {platform['architecture']}"
    assert f"{kind}, {platform['threads']} threads: every stage" in text


def test_every_run_has_its_pictures_the_best_by_validation_first_and_unfolded(page, made, best):
    section = page.section("models")
    folded = list(section.all("details"))
    runs = [each.one("h3").one("code").text for each in (section.one("div", class_="best"), *folded)]
    assert runs[0] == best
    assert set(runs) == set(RUNS)
    for run, element in zip(runs, (section.one("div", class_="best"), *folded), strict=True):
        names = ["learning_curves"] * run.startswith(("softmax", "two")) + list(PICTURES)
        expected = [(made / f"results/evaluation/{run}/{name}.png").read_bytes() for name in names]
        assert [_bytes(image) for image in element.all("img")] == expected
        alt = {name: img.attributes["alt"] for name, img in zip(names, element.all("img"), strict=True)}
        assert alt["confusion"] == f"{run}: Most frequent mistake: 3 taken for 5, 2 times"
        assert "3 of 100 test images" in element.text


def _bytes(image: Element) -> bytes:
    return base64.b64decode(image.attributes["src"].removeprefix("data:image/png;base64,"))


def test_the_three_sentences_state_the_files_numbers(page, load, best):
    measured, gradients = load("evaluation"), load("gradients")
    first, agree, beside = (each.text for each in page.section("answer").all("li"))
    numbers = (f"{measured[best][f'{split}/error']:.2%}" for split in ("validation", "test"))
    assert all(text in first for text in (best, RUNS[best], *numbers, f"{IMAGES} test images"))
    interval = " – ".join(f"{100 * measured[best][f'test/error_{end}']:.2f}" for end in ("low", "high"))
    assert f"(95% interval {interval})" in first
    checked = gradients["worst_relative_errors"].values()
    largest = max(error for checks in checked for error in checks["autograd_float64"].values())
    assert f"at most {largest:.1e}, relative, where 1e-10 is allowed" in agree
    assert "softmax-manual is right on the same images as softmax-autograd and two_layer-manual" in agree
    assert "doesn't differ significantly from two_layer-autograd (p = 0.256)" in agree
    ours, theirs = (f"{measured[run]['test/error']:.2%}" for run in ("softmax-manual", PAIRS[3][1]))
    assert f"softmax-manual ({ours}) errs less than LogisticRegression ({theirs})" in beside
    assert f"softmax-manual ({ours}) errs more than SGDClassifier" in beside


def test_the_head_names_the_commit_its_day_and_the_digests_of_the_data(page, made):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=made, capture_output=True, text=True, check=True)
    text = page.one("header").text
    assert f"{head.stdout.strip()} of 2026-03-04, code and parameters as committed" in text
    assert f"data/raw {'1' * 32}.dir" in text
    assert f"data/normalized/train {'2' * 32}.dir" in text


def test_the_parameters_are_those_of_the_file_but_for_where_the_data_are(page, made):
    shown = [each for child in page.section("parameters").one("pre").children for each in child.splitlines()]
    lines = (made / "params.yaml").read_text().splitlines()
    missing = [line for line in lines if line not in shown]
    fetch = lines.index("fetch:")
    assert missing == [line for line in lines[fetch : lines.index("", fetch)] if line]
    assert [line for line in shown if line] == [line for line in lines if line and line not in missing]
