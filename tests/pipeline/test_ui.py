"""What a reviewer sees in MLflow's UI, in a real browser, after one run of the pipeline.

`make screenshots` runs these tests on the repository's own store and keeps what they see in docs/review/.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page, expect

from pipeline.exercises import VARIANTS
from pipeline.tracking import experiments
from tests import browser
from tests.loopback import free_port
from tests.repositories import REPOSITORY, Repository

# Where pictures of what the tests see are kept: a folder that git ignores, unless told otherwise.
SCREENSHOTS = Path(os.environ.get("GRADLINE_SCREENSHOTS", REPOSITORY / "results/screenshots"))
REVIEW = REPOSITORY / "docs/review.md"
SIZE = {"width": 1440, "height": 900}
# Its assistant would cover a quarter of the page.
WITHOUT_ASSISTANT = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""
PATIENCE = 20_000  # milliseconds for a page of MLflow's UI, beside other tests


@pytest.fixture(scope="module")
def reviewed(request):
    """The repository that is looked at: the small one of these tests, or ours for `make screenshots`."""
    if "GRADLINE_SCREENSHOTS" in os.environ:
        return Repository(REPOSITORY)
    return request.getfixturevalue("repository")


@pytest.fixture(scope="module")
def client(reviewed):
    return MlflowClient(f"sqlite:///{reviewed.path / 'mlflow.db'}")


@pytest.fixture(scope="module")
def address(reviewed):
    """`make ui` on that store, as a process."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "ui", "--port", str(port)],
        cwd=reviewed.path,
        env={name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            urlopen(f"{address}/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.2)
    yield address
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="module")
def chromium():
    with browser.context(viewport=SIZE) as context:
        context.add_init_script(WITHOUT_ASSISTANT)
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield context


@pytest.fixture
def page(chromium):
    page = chromium.new_page()
    asked = browser.foreign_requests(page)
    yield page
    page.close()
    assert asked == []


def run_of(client, name: str):
    """The newest finished run of this name."""
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    condition = f"attributes.run_name = '{name}' and attributes.status = 'FINISHED'"
    return client.search_runs(ids, condition)[0]


def at(address: str, run, tab: str = "") -> str:
    """The address of a run's page."""
    return (
        f"{address}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{tab}?{experiments.TRAINING}"
    )


def keep(page: Page, name: str) -> None:
    """Keep a picture of what is seen, once nothing moves any more; in the docs, only where they show it."""
    if "GRADLINE_SCREENSHOTS" in os.environ and f"/{name}.png)" not in REVIEW.read_text(encoding="utf-8"):
        return
    page.wait_for_timeout(500)
    # Where the artifact lies on this machine is nobody's business.
    page.get_by_text(re.compile("^Path:")).evaluate_all("found => found.forEach(e => e.style.opacity = 0)")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


def text_of(page: Page) -> str:
    return page.locator("body").inner_text()


def test_the_experiments_are_listed_with_what_they_are(page, address):
    page.goto(f"{address}/#/experiments?{experiments.TRAINING}")
    for name, described in experiments.EXPERIMENTS.items():
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
        expect(page.get_by_text(described.description[:15]).first).to_be_visible()
    keep(page, "experiments")


@pytest.mark.slow
def test_the_run_list_is_sorted_by_test_error_and_shows_it(page, address, client):
    experiment = client.get_experiment_by_name("mnist")
    page.goto(experiments.link(address, experiment.experiment_id))
    expect(page.get_by_role("link", name="two_layer-manual").first).to_be_visible()
    shown = text_of(page)
    for column in ("test/error", "Sort: test/error", "Models"):
        assert column in shown
    runs = client.search_runs([experiment.experiment_id], order_by=["metrics.`test/error` ASC"])
    errors = {
        run.info.run_name: run.data.metrics["test/error"] for run in runs if "test/error" in run.data.metrics
    }
    places = [
        shown.index(name) for name in sorted(errors, key=lambda name: (errors[name], shown.index(name)))
    ]
    assert places == sorted(places)
    keep(page, "runs")


@pytest.mark.slow
def test_the_comparison_says_which_model_is_best_and_how_it_compares(page, address, client):
    run = run_of(client, "comparison")
    page.goto(at(address, run))
    page.get_by_text("Show more").first.click()
    for words in (
        f"The best by validation is {run.data.params['best_by_validation']}",
        "two_layer-manual",
        "baseline-mlp_classifier",
        run.data.tags["git.commit"][:12],
    ):
        expect(page.get_by_text(re.compile(re.escape(words))).first).to_be_visible()
    keep(page, "comparison")


@pytest.mark.slow
def test_a_table_can_be_read_in_the_artifacts(page, address, client):
    page.goto(at(address, run_of(client, "comparison"), "/artifacts/tables/pairs.json"))
    expect(page.get_by_text("View as table")).to_be_visible()
    expect(page.get_by_text("right on the same images").first).to_be_visible()
    keep(page, "pairs")


@pytest.mark.slow
def test_a_run_says_what_it_is_of_what_data_and_commit(page, address, client):
    run = run_of(client, "two_layer-manual")
    page.goto(at(address, run))
    expect(page.get_by_text("How it was made").first).to_be_attached()
    shown = text_of(page)
    for part in (
        "two_layer-manual",
        "Finished",
        "dvc.stage",
        "git.commit",
        "fingerprint",
        "Training",
        "mnist (",
    ):
        assert part in shown
    keep(page, "run")


def section(page: Page, name: str):
    """The heading of a section of charts, scrolled to: charts out of sight are not drawn."""
    heading = page.get_by_test_id("experiment-view-compare-runs-section-header").filter(has_text=name).first
    heading.scroll_into_view_if_needed()
    heading.evaluate("element => element.scrollIntoView()")
    return heading


@pytest.mark.slow
def test_a_run_has_its_curves_and_the_first_layer_with_a_slider(page, address, client):
    page.goto(at(address, run_of(client, "two_layer-manual"), "/model-metrics"))
    section(page, "train")
    curve = page.locator(".scatterlayer .trace .lines path")
    for place in range(3):  # loss and accuracy of training, accuracy in validation
        expect(curve.nth(place)).to_be_attached()
    keep(page, "curves")
    section(page, "Model metrics")
    expect(page.get_by_text("first_layer").first).to_be_visible()
    slider = page.get_by_role("slider").first
    slider.scroll_into_view_if_needed()
    expect(slider).to_be_visible()
    keep(page, "first_layer-slider")


@pytest.mark.slow
@pytest.mark.parametrize("picture", ["confusion", "worst_mistakes"])
def test_a_picture_of_the_evaluation_is_shown(page, address, client, picture):
    run = run_of(client, "two_layer-manual")
    page.goto(at(address, run, f"/artifacts/evaluation/{picture}.png"))
    image = page.locator("img[src*='blob:'], img[src*='get-artifact']").first
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalWidth") >= 300
    keep(page, picture)


@pytest.mark.slow
def test_the_gradient_check_shows_its_picture(page, address, client):
    page.goto(at(address, run_of(client, "gradient-check"), "/artifacts/run/figures/agreement.png"))
    expect(page.locator("img[src*='blob:'], img[src*='get-artifact']").first).to_be_visible()
    keep(page, "gradient-check")


@pytest.mark.slow
def test_the_model_has_a_page_with_its_signature_and_metrics(page, address, client):
    run = run_of(client, "two_layer-manual")
    [output] = run.outputs.model_outputs
    model = f"{address}/#/experiments/{run.info.experiment_id}/models/{output.model_id}"
    page.goto(f"{model}?{experiments.TRAINING}")
    expect(page.get_by_text("test/error").first).to_be_visible()
    expect(page.get_by_text(output.model_id).first).to_be_visible()
    expect(page.get_by_text("raw pixels in").first).to_be_visible()
    keep(page, "model")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_cg", "quadratic"])
def test_an_exercise_can_be_compared_as_asked_and_as_answered(page, address, client, name):
    runs = [run_of(client, f"exercise-{name}-{variant}") for variant in VARIANTS]
    experiment = runs[0].info.experiment_id
    ids = ",".join(f'"{run.info.run_id}"' for run in runs)
    page.goto(f'{address}/#/compare-runs?runs=[{ids}]&experiments=["{experiment}"]&{experiments.TRAINING}')
    expect(page.get_by_text("Comparing 2 Runs").first).to_be_visible()
    for run in runs:
        expect(page.get_by_text(run.info.run_name).first).to_be_visible()
    expect(page.get_by_text("train/loss").first).to_be_visible()
    keep(page, f"compare-{name}")
