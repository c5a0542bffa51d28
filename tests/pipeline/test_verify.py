"""`verify` proves a run by making it again, and refutes one that was forged; each forgery is planted."""

import json
import shutil
import sqlite3
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
import safetensors.numpy

from pipeline.commands import verify
from pipeline.errors import UserError
from pipeline.tracking import run_directory
from tests.pipeline.conftest import commit, copy
from tests.pipeline.test_mlflow import runs_in, store

EXERCISE = "exercise-quadratic-answered"
SOURCE = "pipeline/exercises/quadratic.py"
EDIT = ("A parabola is fitted", "Edited: a parabola is fitted")


@pytest.fixture
def verified(monkeypatch, capsys):
    """Verify a run of a repository; return the status, the last line, and the tag that stays."""

    def verified(repository, wanted):
        monkeypatch.chdir(repository.path)
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
            monkeypatch.delenv(name, raising=False)
        capsys.readouterr()
        status = verify.verify(repository.path, wanted)
        said = capsys.readouterr().out.splitlines()[-1]
        [*_, run] = sorted(runs_in(store(repository))[wanted], key=lambda run: run.info.start_time)
        assert run.data.tags["verified.commit"] == repository.git("rev-parse", "HEAD").strip()
        assert said == f"verify: {wanted} ({run.info.run_id[:8]}): {run.data.tags['verified']}"
        return status, run.data.tags["verified"]

    return verified


def published(repository, folder: Path, *names: str):
    """A copy of the pipeline with these runs in a store of its own, by `publish`."""
    made = copy(repository, folder / "copy")
    done = made.run(sys.executable, "-m", "pipeline", "publish", *names)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def forged(repository, tmp_path_factory):
    """A store to plant faults in."""
    names = ("softmax-manual", "softmax-autograd", EXERCISE)
    return published(repository, tmp_path_factory.mktemp("forged"), *names)


@pytest.fixture(scope="module")
def experiment(repository, tmp_path_factory):
    """A copy where a run was made with another parameter and other code, in a folder that is gone since."""
    made = copy(repository, tmp_path_factory.mktemp("experiment") / "copy")
    (made.path / SOURCE).write_text(made.text(SOURCE).replace(*EDIT))
    made.dvc("exp", "run", "--temp", "-S", "exercise.quadratic.points=6", "exercise@quadratic")
    return made


def run_named(repository, name: str):
    [run] = runs_in(store(repository))[name]
    return run


def artifact(repository, name: str, path: str) -> Path:
    """The file of an artifact: the store is on this disk."""
    uri = run_named(repository, name).info.artifact_uri
    return Path(url2pathname(urlsplit(uri).path)) / path


def forge(directory: Path) -> None:
    """Change one weight by a little."""
    path = directory / "weights.safetensors"
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
    assert tags["blas.architecture"] == recorded["architecture"]
    assert tags["blas.threads"] == str(recorded["threads"])


def test_altered_weights_are_different_and_named_by_tensor(forged, verified):
    forge(artifact(forged, "softmax-manual", "run"))
    status, said = verified(forged, "softmax-manual")
    assert status == 1
    assert said.startswith("different: weights.safetensors: W[0, 0] is ")
    assert "in run/, " in said
    assert "in the logged model" in said


def test_an_edited_parameter_is_different_and_named_with_both_values(forged, verified):
    with sqlite3.connect(forged.path / "mlflow.db") as database:
        edit = "UPDATE params SET value = '0.5' WHERE key = 'train.softmax.learning_rate' and run_uuid = ?"
        database.execute(edit, [run_named(forged, "softmax-autograd").info.run_id])
    told = "different: parameter train.softmax.learning_rate is 0.5 in MLflow, 0.02 in run/"
    assert verified(forged, "softmax-autograd") == (1, told)


def test_a_forgery_that_is_consistent_is_found_by_making_the_run_again(forged, verified):
    directory = artifact(forged, EXERCISE, "run")
    forge(directory)
    fingerprint = run_directory.fingerprint(directory)
    store(forged).set_tag(run_named(forged, EXERCISE).info.run_id, "fingerprint", fingerprint)
    status, said = verified(forged, EXERCISE)
    assert status == 1
    assert said.startswith("different: weights.safetensors: W[0, 0] is ")
    assert " stored, " in said
    assert " made again, " in said


def test_a_run_from_a_dirty_tree_is_identical_by_its_patch(experiment, verified):
    run = run_named(experiment, EXERCISE)
    assert run.data.tags["git.dirty"] == "true"
    assert run.data.tags["git.commit"] == experiment.git("rev-parse", "HEAD").strip()
    assert verified(experiment, EXERCISE) == (0, "identical")


def test_a_patch_that_is_altered_or_lost_proves_nothing(experiment, verified):
    patch = artifact(experiment, EXERCISE, "patch.diff")
    stored = patch.read_text()
    patch.write_text(stored.replace("Edited: ", "Altered: "))
    status, said = verified(experiment, EXERCISE)
    assert status == 1
    assert said.startswith("different: record.json: description is ")
    for content, reason in (
        (stored.replace("-    \"A parabola", "-    \"A hyperbola"), "its patch.diff does not apply to its commit: "),
        (None, "its patch is not stored"),
    ):
        patch.unlink() if content is None else patch.write_text(content)
        with pytest.raises(UserError, match=reason) as caught:
            verified(experiment, EXERCISE)
        assert "\n" not in str(caught.value)
    patch.write_text(stored)


def test_a_replayed_run_of_unknown_commit_is_refused_and_one_of_another_repository(
    repository, verified, tmp_path
):
    made = copy(repository, tmp_path / "copy")
    shutil.rmtree(made.path / ".git")
    made.git("init", "--quiet")
    (made.path / "dvc.lock").unlink()
    commit(made, "Without a lock")
    done = made.run(sys.executable, "-m", "pipeline", "publish", EXERCISE)
    assert done.returncode == 0, done.stderr
    with pytest.raises(UserError, match=r"its commit is unknown, so it can't be made again$"):
        verified(made, EXERCISE)
    run = run_named(made, EXERCISE)
    for commit_of_others in ("f" * 40, "--help"):
        store(made).set_tag(run.info.run_id, "git.commit", commit_of_others)
        store(made).set_tag(run.info.run_id, "dvc.stage", "exercise@quadratic")
        with pytest.raises(UserError, match=f"git.commit {commit_of_others}: this repository doesn't have it"):
            verified(made, EXERCISE)
    assert "verified" not in run_named(made, EXERCISE).data.tags
