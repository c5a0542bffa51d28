"""Parameters that are wrong, hostile or hopeless, met by the real stages."""

import re
import sys

import pytest

from tests.faults.measured import Ended, stage
from tests.params.shipped import FILE, VALUES, at, with_value, yaml
from tests.repositories import copy_of_the_project
from tests.stages.conftest import fill, set_parameters

SHIPPED = FILE.read_text(encoding="utf-8")
MOST_MEMORY = 200  # MB; to check the shipped file takes about 50
SLOW = pytest.mark.slow
EXTREME = "or a setting too extreme"


def checked(folder, content: str) -> Ended:
    """The first stage on a params.yaml of this content, with an output of an earlier run."""
    (folder / "params.yaml").write_text(content, encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/params.checked").write_text("earlier")
    return stage(folder, "check_params")


def refused(folder, content: str) -> str:
    """The one line that refuses it; the earlier output stays, and the shipped file is taken after it."""
    ended = checked(folder, content)
    assert ended.refusal == ended.said.removeprefix("error: ").strip()
    assert (folder / "data/params.checked").read_text() == "earlier"
    assert ended.peak < MOST_MEMORY
    assert checked(folder, SHIPPED).status == 0
    return ended.refusal


@pytest.mark.fault("Configuration", "a wrong type, a number out of range, NaN or huge")
@pytest.mark.parametrize(
    "value",
    ["fast", *(pytest.param(v, marks=SLOW) for v in (None, [0.1], float("nan"), float("inf"), -1, 10**400))],
)
def test_an_impossible_value_is_refused_before_anything_runs(tmp_path, happened, value):
    place = ("train", "two_layer", "learning_rate")
    line = refused(tmp_path, yaml(with_value(place, value)))
    assert line.startswith(f"params.yaml: train.two_layer.learning_rate = {str(repr(value))[:12]}")
    assert ": allowed is " in line
    happened(line)


@pytest.mark.fault("Configuration", "a key that is unknown, missing or stands twice")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"{SHIPPED}\nlerning_rate: 1\n", "params.yaml: lerning_rate = 1: unknown key; allowed: "),
        (SHIPPED.replace("    epochs: 8\n", "", 1), "params.yaml: train.softmax.epochs: is missing"),
        (f"{SHIPPED}\nseed: 1\n", 'found duplicate key "seed"'),
    ],
    ids=["unknown", "missing", "twice"],
)
def test_a_key_that_is_not_right_is_named(tmp_path, happened, content, says):
    line = refused(tmp_path, content)
    assert says in line
    happened(line)


@pytest.mark.fault("Configuration", "a YAML tag that would run code")
@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [touch taken]",
        pytest.param("!!python/object/new:os.system [touch taken]", marks=SLOW),
        pytest.param("!!python/object:os.system {}", marks=SLOW),
        pytest.param("!!python/name:os.system", marks=SLOW),
    ],
)
def test_a_tag_runs_nothing(tmp_path, happened, tag):
    line = refused(tmp_path, SHIPPED.replace("seed: 0 ", f"seed: {tag}"))
    assert "could not determine a constructor for the tag" in line
    assert not (tmp_path / "taken").exists()
    happened(line)


@pytest.mark.fault("Configuration", "nested aliases (billion laughs)")
def test_nested_aliases_are_not_spelt_out(tmp_path, happened):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    bomb = "\n".join(lines) + "\n"
    line = refused(tmp_path, bomb + SHIPPED.replace("seed: 0 ", "seed: *a29 "))
    assert line.startswith("params.yaml: seed = [[[...]")
    happened(f"9^30 elements: {line}")


HOSTILE = [f"{how}touch taken{end}" for how, end in (("$(", ")"), ("`", "`"), ("; ", " #"), ("| ", ""))]


@SLOW
@pytest.mark.fault("Configuration", "shell metacharacters in a string")
def test_no_string_reaches_a_shell(tmp_path, happened):
    repository = copy_of_the_project(tmp_path / "repository")
    words = [place for place in VALUES if isinstance(at(place), str) and place[0] != "fetch"]
    for place in words:
        assert f"{place[-1]} = '$(touch" in refused(tmp_path, yaml(with_value(place, HOSTILE[0])))
    repository.set("fetch", {"deadline": 5, "sources": [*HOSTILE, *(f"npm:{text}" for text in HOSTILE)]})
    kept = {"GRADLINE_CACHE": str(tmp_path / "an empty cache")}
    done = repository.run(sys.executable, "-m", "dvc", "repro", "fetch", **kept)
    assert done.returncode != 0
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: fetch: no source has the files: $(touch taken): ")
    assert not list(tmp_path.rglob("taken"))
    happened(f"{len(words)} fields take certain words only; as a source it is a path that isn't there")


@pytest.mark.fault("Configuration", "a learning rate that diverges")
@pytest.mark.parametrize(
    ("model", "gradient"),
    [
        ("softmax", "manual"),
        *(pytest.param(m, g, marks=SLOW) for m, g in (("softmax", "autograd"), ("two_layer", "manual"))),
    ],
)
def test_divergence_ends_training_at_once_with_the_diagnosis(tmp_path, happened, model, gradient):
    folder = fill(tmp_path / "project")
    assert stage(folder, "train", model, gradient).status == 0
    weights = folder / f"results/runs/{model}-{gradient}/weights.safetensors"
    before = weights.read_bytes()
    rate = at(("train", model, "learning_rate"))
    set_parameters(folder / "params.yaml", {f"train.{model}.learning_rate": 1e9})
    line = stage(folder, "train", model, gradient).refusal
    assert line.startswith(f"params.yaml: train.{model}: diverged: the training loss reached ")
    # A first step as long as that may happen to classify the whole next minibatch; the second turns it over.
    assert re.search(r" at epoch 1, minibatch [23], at learning rate (1e\+09|9\.\d+e\+08); lower the ", line)
    assert weights.read_bytes() == before
    if model == "softmax":
        stable = float(re.search(r"stable below a learning rate of (\S+)$", line)[1])
        set_parameters(folder / "params.yaml", {"train.softmax.learning_rate": stable})
        assert stage(folder, "train", model, gradient).status == 0
    set_parameters(folder / "params.yaml", {f"train.{model}.learning_rate": rate})
    assert stage(folder, "train", model, gradient).status == 0
    happened(line)


@SLOW
@pytest.mark.fault("Configuration", "a learning rate that diverges, as MLflow shows it")
def test_a_diverged_run_has_failed_and_left_no_model(tmp_path, monkeypatch, happened):
    from pipeline.tracking import connection

    folder = fill(tmp_path / "project")
    (folder / ".dvc").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    client = connection.connect()
    set_parameters(folder / "params.yaml", {"train.softmax.learning_rate": 1e9})
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}", "GRADLINE_TRACKING": "on"}
    line = stage(folder, "train", "softmax", "manual", **uri).refusal
    experiments = [each.experiment_id for each in client.search_experiments()]
    [run] = client.search_runs(experiments)
    assert (run.info.run_name, run.info.status) == ("softmax-manual", "FAILED")
    assert any("diverged: the training loss reached" in text for text in run.data.tags.values())
    assert not client.search_logged_models(experiments)
    assert not client.search_registered_models()
    happened(f"the run is FAILED and says why; no model is logged or registered; {line}")


@pytest.mark.fault("Configuration", "an exercise's or a baseline's learning rate that overflows")
@pytest.mark.parametrize(
    ("name", "arguments", "remedy"),
    [
        pytest.param("exercise.two_layer.learning_rate", ("exercise", "two_layer"), EXTREME, marks=SLOW),
        pytest.param(
            "exercise.relu_regression.learning_rate", ("exercise", "relu_regression"), EXTREME, marks=SLOW
        ),
        ("baseline.sgd_classifier.learning_rate", ("baseline", "sgd_classifier"), EXTREME),
        (
            "train.two_layer.learning_rate",
            ("baseline", "mlp_classifier"),
            "lower train.two_layer.learning_rate or baseline.mlp_classifier.rate_factor",
        ),
    ],
)
def test_an_overflow_is_one_line_too(tmp_path, happened, name, arguments, remedy):
    folder = fill(tmp_path / "project")
    few = {"exercise.relu_regression.inputs": 50, "exercise.relu_regression.iterations": 20}
    set_parameters(folder / "params.yaml", {**few, name: 1000.0 if "exercise" in name else 1e6})
    ended = stage(folder, *arguments)
    assert ended.refusal == ended.said.removeprefix("error: ").strip()
    assert ended.refusal.endswith(remedy)
    assert not (folder / "results/runs").exists()
    happened(ended.refusal)
