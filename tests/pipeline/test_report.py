"""The report of a pipeline that has just run."""

import base64
import sys

import pytest

from tests.reports.markup import markdown_rows, read

LARGEST = 8_000_000


def is_snapshot(path):
    """Tell a first layer on its way, which MLflow shows under a slider, from the one that came out."""
    return path.parent.name == "first_layer"


@pytest.fixture(scope="module")
def html(repository):
    done = repository.run(sys.executable, "-m", "pipeline", "report")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("report: results/report.html (")
    path = repository.path / "results/report.html"
    written = path.read_text(encoding="utf-8")
    path.unlink()  # what else the pipeline left is compared by other tests
    return written


def test_it_shows_the_comparison_that_evaluate_wrote(html, repository):
    page, markdown = read(html), repository.text("results/comparison.md")
    rows = [[run.removesuffix(" (best by validation)"), *cells] for run, *cells in page.rows("Every run")]
    assert rows == [[run, *cells] for run, _, *cells in markdown_rows(markdown, "run | what it is")]
    assert page.rows("Run against run") == markdown_rows(markdown, "A | B")
    assert page.rows("Published test error") == markdown_rows(markdown, "model | published")


def test_every_picture_of_the_evaluation_and_the_exercises_is_in_it(html, repository):
    for folder in ("results/evaluation", "results/exercises"):
        pictures = [path for path in (repository.path / folder).rglob("*.png") if not is_snapshot(path)]
        assert pictures
        assert all(base64.b64encode(path.read_bytes()).decode() in html for path in pictures)
    assert len(html.encode()) < LARGEST


def test_it_is_of_one_run_and_of_the_commit(html, repository):
    header = read(html).one("header").text
    assert "Not all of one run" not in header
    assert f"{repository.git('rev-parse', 'HEAD').strip()} of " in header
    assert "code and parameters as committed" in header
