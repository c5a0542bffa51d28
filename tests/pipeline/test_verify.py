"""`verify` proves a run by making it again, and refutes one that was forged; each forgery is planted."""

import json
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
import safetensors.numpy

from pipeline.commands import verify
from pipeline.errors import UserError
from pipeline.tracking import connection, inventory, run_directory
from pipeline.tracking.publish import publish_missing
from pipeline.tracking.run_directory import WEIGHTS
from tests.pipeline.conftest import EXPERIMENT_EDIT
from tests.pipeline.test_mlflow import runs_in, store
from tests.repositories import copy

# The run of the experiment, and those of `changed`, which are published after the fact.
DIRTY = "softmax-manual"
ALTERED, EDITED, UNKNOWN = "softmax-autograd", "two_layer-manual", "baseline-ridge"


@pytest.fixture(scope="module")
def changed(repository, tmp_path_factory):
    """A store to plant faults in; one of its runs is of no commit that git knows."""
    made = copy(repository, tmp_path_factory.mktemp("changed") / "copy")
    with (made.path / "results/runs" / UNKNOWN / "metrics.json").open("a") as file:
        file.write("\n")
    with pytest.MonkeyPatch.context() as patch:
        enter(made, patch)
        publish_missing(Path("results"), [ALTERED, EDITED, UNKNOWN])
    return made


@pytest.fixture
def verified(monkeypatch, capsys):
    """Verify a run of a repository; return the status, and the verdict that is printed and stays as a tag."""

    def verified(repository, wanted):
        enter(repository, monkeypatch)
        capsys.readouterr()
        status = verify.verify(repository.path, wanted)
        said = capsys.readouterr().out.splitlines()[-1]
        run = run_named(repository, wanted)
        assert run.data.tags["verified.commit"] == repository.git("rev-parse", "HEAD").strip()
        experiment = run.data.tags.get("dvc.exp.name")
        whose = f" of the experiment {experiment}" if experiment else ""
        assert said == f"verify: {wanted} ({run.info.run_id[:8]}{whose}): {run.data.tags['verified']}"
        return status, run.data.tags["verified"]

    return verified


def enter(repository, patch: pytest.MonkeyPatch) -> None:
    """Make a repository the one in which this process's commands work."""
    patch.chdir(repository.path)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        patch.delenv(name, raising=False)


def run_named(repository, name: str):
    [run] = runs_in(store(repository))[name]
    return run


def on_disk(uri: str) -> Path:
    """The path of what is stored: the store is on this disk."""
    return Path(url2pathname(urlsplit(uri).path))


def artifact(repository, name: str, path: str) -> Path:
    """The path of an artifact."""
    return on_disk(run_named(repository, name).info.artifact_uri) / path


def model_of(repository, name: str) -> Path:
    """The folder of the weights of a run's logged model."""
    [output] = run_named(repository, name).outputs.model_outputs
    location = store(repository).get_logged_model(output.model_id).artifact_location
    return on_disk(location) / "data"


def forge(directory: Path) -> None:
    """Change one weight by a little."""
    path = directory / WEIGHTS
    tensors = safetensors.numpy.load(path.read_bytes())
    name = sorted(tensors)[0]
    tensors[name] = np.array(tensors[name])
    tensors[name].flat[0] += 0.001
    path.write_bytes(safetensors.numpy.save(tensors))


def test_a_run_of_a_commit_is_identical(repository, verified):
    assert verified(repository, "softmax-manual") == (0, "identical")


def test_a_run_tells_on_what_machine_its_stage_ran(repository):
    recorded = json.loads(repository.text("results/platform.json"))["train@softmax-manual"]
    tags = run_named(repository, "softmax-manual").data.tags
    assert tags["processor"] == recorded["processor"]
    assert tags["blas.architecture"] == recorded["architecture"]
    assert tags["blas.threads"] == str(recorded["threads"])


def test_every_run_directory_is_published_by_the_stage_that_made_it(repository, monkeypatch):
    enter(repository, monkeypatch)
    entries = {entry.name: entry for entry in inventory.take(connection.connect())}
    assert set(entries) == {path.name for path in (repository.path / "results/runs").iterdir()}
    assert {entry.state for entry in entries.values()} == {"published"}
    stages = {name: run_named(repository, name).data.tags["dvc.stage"] for name in entries}
    assert {name: entry.stage for name, entry in entries.items()} == stages


@pytest.mark.slow
def test_altered_weights_are_different_and_named_by_tensor(changed, verified):
    forge(artifact(changed, ALTERED, "run"))
    status, said = verified(changed, ALTERED)
    assert status == 1
    assert said.startswith("different: weights.safetensors: W[0, 0] is ")
    assert "in run/, " in said
    assert "in the logged model" in said


@pytest.mark.slow
def test_an_edited_parameter_is_different_and_named_with_both_values(changed, verified):
    with sqlite3.connect(changed.path / "mlflow.db") as database:
        edit = "UPDATE params SET value = '9' WHERE key = 'train.two_layer.hidden' and run_uuid = ?"
        database.execute(edit, [run_named(changed, EDITED).info.run_id])
    told = "different: parameter train.two_layer.hidden is 9 in MLflow, 16 in run/"
    assert verified(changed, EDITED) == (1, told)


@pytest.mark.slow
def test_a_replayed_run_of_unknown_commit_is_refused_and_one_of_another_repository(changed, verified):
    with pytest.raises(UserError, match=r"its commit is unknown, so it can't be made again$"):
        verified(changed, UNKNOWN)
    run_id = run_named(changed, UNKNOWN).info.run_id
    store(changed).set_tag(run_id, "dvc.stage", "baseline@ridge")
    for commit in ("f" * 40, "--help"):
        store(changed).set_tag(run_id, "git.commit", commit)
        with pytest.raises(UserError, match=f"git.commit {commit}: this repository doesn't have it"):
            verified(changed, UNKNOWN)
    assert "verified" not in run_named(changed, UNKNOWN).data.tags


@pytest.mark.slow
def test_a_run_from_a_dirty_tree_is_identical_by_its_patch(experiment, verified):
    run = run_named(experiment, DIRTY)
    assert run.data.tags["git.dirty"] == "true"
    assert run.data.tags["git.commit"] == experiment.git("rev-parse", "HEAD").strip()
    assert verified(experiment, DIRTY) == (0, "identical")


@pytest.mark.slow
def test_a_consistent_forgery_is_found_by_making_the_run_again_and_replaces_the_verdict(experiment, verified):
    directory = artifact(experiment, DIRTY, "run")
    forge(directory)
    shutil.copy(directory / WEIGHTS, model_of(experiment, DIRTY))
    fingerprint = run_directory.fingerprint(directory)
    store(experiment).set_tag(run_named(experiment, DIRTY).info.run_id, "fingerprint", fingerprint)
    status, said = verified(experiment, DIRTY)
    assert status == 1
    assert said.startswith("different: weights.safetensors: W[0, 0] is ")
    assert " stored, " in said
    assert " made again, " in said


@pytest.mark.slow
def test_a_patch_that_does_not_apply_or_is_lost_is_refused(experiment, verified):
    patch = artifact(experiment, DIRTY, "patch.diff")
    patch.write_text(patch.read_text().replace(EXPERIMENT_EDIT[0], "generator(0)"))
    with pytest.raises(UserError, match=r"its patch.diff does not apply to its commit: ") as caught:
        verified(experiment, DIRTY)
    assert "\n" not in str(caught.value)
    patch.unlink()
    with pytest.raises(UserError, match="its patch is not stored"):
        verified(experiment, DIRTY)
