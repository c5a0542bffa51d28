"""`dvc repro` runs what must run and nothing else, and always leaves the same bytes."""

import json
import re
import sys

import pytest
from ruamel.yaml import YAML

from pipeline.commands import summary
from tests.repositories import REPOSITORY

SILENT = {"GRADLINE_TRACKING": "off"}
LEARNING_RATE_USERS = {
    "check_params",
    "train@two_layer-manual",
    "train@two_layer-autograd",
    "baseline@mlp_classifier",
}
SOFTMAX_USERS = {
    "train@softmax-manual",
    "train@softmax-autograd",
    "baseline@logistic_regression",
    "baseline@sgd_classifier",
    "check_gradients",
    "exercise@spiral",
    "exercise@softmax_loops",
    "evaluate",
}


def changed(repository) -> set[str]:
    """The stages with a change of their own, as `dvc status` sees it."""
    status = json.loads(repository.run(sys.executable, "-m", "dvc", "status", "--json").stdout)
    return set(status)


class Edits:
    """Edits of a repository in which nothing runs meanwhile, and that is put back."""

    def __init__(self, repository) -> None:
        self._repository = repository
        self._before = {}

    def set(self, parameter: str, value: object) -> None:
        self._keep("params.yaml")
        self._repository.set(parameter, value)

    def touch(self, name: str) -> None:
        self._keep(name)
        with (self._repository.path / name).open("a") as file:
            file.write("# touched\n")

    def undo(self) -> None:
        for name, content in self._before.items():
            (self._repository.path / name).write_bytes(content)

    def _keep(self, name: str) -> None:
        self._before.setdefault(name, (self._repository.path / name).read_bytes())


@pytest.fixture
def edits(repository):
    made = Edits(repository)
    yield made
    made.undo()


def test_every_stage_ran_and_left_its_outputs(repository):
    assert changed(repository) == set()
    measured = json.loads(repository.text("results/evaluation.json"))
    assert len(measured) == 10
    assert all(0 < metrics["test/error"] < 0.5 for metrics in measured.values())


def test_a_second_repro_runs_nothing(repository):
    assert repository.repro() == []


def test_a_learning_rate_concerns_its_training_and_its_matched_baseline(repository, edits):
    edits.set("train.two_layer.learning_rate", 0.02)
    assert changed(repository) == LEARNING_RATE_USERS


@pytest.mark.slow
def test_a_learning_rate_reruns_what_uses_it_and_what_follows(copied):
    copied.set("train.two_layer.learning_rate", 0.02)
    assert set(copied.repro(**SILENT)) == {*LEARNING_RATE_USERS, "evaluate"}
    assert copied.repro(**SILENT) == []


def test_a_schedule_leaves_the_baseline_that_has_none_alone(repository, edits):
    edits.set("train.two_layer.schedule", "constant")
    assert changed(repository) == {"check_params", "train@two_layer-manual", "train@two_layer-autograd"}


def test_a_models_file_concerns_only_what_uses_that_model(repository, edits):
    edits.touch("pipeline/learning/models/softmax.py")
    assert changed(repository) == SOFTMAX_USERS


def test_the_code_that_publishes_and_the_docs_concern_no_stage(repository, edits):
    edits.touch("pipeline/tracking/projection.py")
    edits.touch("README.md")
    assert changed(repository) == set()


def test_another_numerical_library_concerns_every_stage_that_computes(repository, edits):
    stages = set(YAML(typ="safe").load(repository.text("dvc.lock"))["stages"])
    edits.touch("requirements/runtime.txt")
    assert changed(repository) == stages - {"check_params", "fetch"}


def test_the_commands_that_we_say_compare_an_experiment_work(repository):
    said = f"{summary.NEXT}\n{(REPOSITORY / 'README.md').read_text()}"
    commands = set(re.findall(r"^ *(dvc (?:metrics|params) [^#\n]*)", said, re.MULTILINE))
    assert len(commands) == 2
    for command in commands:
        done = repository.run("sh", "-c", command)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_forced_stages_leave_the_same_bytes_with_and_without_tracking(copied):
    before = copied.outputs()
    lock = copied.text("dvc.lock")
    stages = ("train@two_layer-manual", "baseline@mlp_classifier")
    assert set(copied.repro("--force", "--single-item", *stages, **SILENT)) == set(stages)
    assert copied.outputs() == before
    assert copied.text("dvc.lock") == lock


def test_refused_parameters_touch_no_output(copied):
    before = copied.outputs()
    copied.set("train.two_layer.learning_rate", "fast")
    done = copied.run(sys.executable, "-m", "dvc", "repro", **SILENT)
    assert done.returncode != 0
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line == "error: params.yaml: train.two_layer.learning_rate = 'fast': allowed is a valid number"
    assert "Traceback" not in done.stderr
    assert copied.outputs() == before


@pytest.mark.slow
def test_divergence_leaves_the_earlier_run(copied):
    before = copied.outputs()
    copied.set("train.two_layer.learning_rate", 1e9)
    done = copied.run(sys.executable, "-m", "dvc", "repro", "train@two_layer-manual", **SILENT)
    assert done.returncode != 0
    assert "error: params.yaml: train.two_layer: diverged" in done.stderr
    assert copied.outputs() == before
