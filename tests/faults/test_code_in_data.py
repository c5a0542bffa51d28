"""Pickles and other weights where a model's files are: none is run or used, and one line says why."""

import pickle
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from tests.faults import champions

PICTURE = "digit.png"
WEIGHTS = "weights.safetensors"
LOADER = "import pathlib\npathlib.Path({!r}).touch()\n_load_pyfunc = None\n"


class Touch:
    """What touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory, empty_store):
    made = champions.promoted(tmp_path_factory.mktemp("code in data"), empty_store)
    pixels = np.zeros((40, 40), np.uint8)
    pixels[8:32, 18:22] = 255
    Image.fromarray(pixels).save(made.path / PICTURE)
    return made


@pytest.fixture
def repository(promoted, tmp_path):
    """A copy of it, at the same place, so that the addresses in its store are right: it is put back after."""
    shutil.copytree(promoted.path, tmp_path / "whole")
    yield promoted
    shutil.rmtree(promoted.path)
    (tmp_path / "whole").rename(promoted.path)


@pytest.fixture
def touched(tmp_path):
    """The file that a pickle would touch."""
    return tmp_path / "touched"


def stored(repository, name):
    """The folder of the champion's run in the store, `run`, or of its logged model, `data`."""
    (found,) = repository.path.glob(f"mlartifacts/**/artifacts/{name}")
    return found


def change_a_weight(path):
    weights = safetensors.numpy.load_file(path)
    weights["W1"][0, 0] += 1
    safetensors.numpy.save_file(weights, path)


def let_promote_look(repository):
    """Take the champion's alias away, so that `promote` has something to decide."""
    with sqlite3.connect(repository.path / "mlflow.db") as store:
        store.execute("DELETE FROM registered_model_aliases")


def refusal(repository, *arguments):
    """The one line of a command that refuses."""
    done = champions.command(repository, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.slow
@pytest.mark.fault("Nobody in", "a pickle, or other code, among the files of a model in MLflow's store")
def test_code_among_the_files_of_a_stored_model_is_not_run(repository, touched, happened):
    pickled = pickle.dumps(Touch(touched))
    (stored(repository, "run") / "weights.pkl").write_bytes(pickled)
    assert "unexpected file 'weights.pkl'" in refusal(repository, "predict", PICTURE)
    (stored(repository, "run") / "weights.pkl").unlink()
    (stored(repository, "data") / WEIGHTS).write_bytes(pickled)
    told = refusal(repository, "serve")
    assert f"{WEIGHTS} of its logged model is not that of its run" in told
    assert "then `make publish` and `make promote`" in told
    (stored(repository, "run") / WEIGHTS).write_bytes(pickled)
    let_promote_look(repository)
    assert "not that of its fingerprint" in refusal(repository, "promote")
    assert not touched.exists()
    pickle.loads(pickled)
    assert touched.exists()  # so it would have been
    happened("predict, serve and promote refuse in one line, and the pickle's code doesn't run")


@pytest.mark.slow
@pytest.mark.fault("Nobody in", "other code in the loader that MLflow's store keeps beside a model")
def test_the_code_that_is_stored_beside_a_model_is_not_run(repository, touched, happened):
    loader = stored(repository, "code") / "pipeline/tracking/scored_model.py"
    loader.write_text(LOADER.format(str(touched)))
    with champions.serving(repository, "serve") as server:
        assert server.lives()
    done = champions.command(repository, "predict", PICTURE)
    assert (done.returncode, done.stderr) == (0, "")
    assert not touched.exists()
    happened("serve and predict answer with this project's code, and that beside the model isn't run")


@pytest.mark.slow
@pytest.mark.fault("Nobody in", "weights that aren't those of their run's record")
def test_weights_with_another_digest_are_refused_by_whoever_uses_them(repository, happened):
    change_a_weight(stored(repository, "run") / WEIGHTS)
    for command in (("predict", PICTURE), ("serve",)):
        assert "not that of its fingerprint" in refusal(repository, *command)
    let_promote_look(repository)
    assert "not that of its fingerprint" in refusal(repository, "promote")
    change_a_weight(repository.path / "results/runs" / champions.CHAMPION / WEIGHTS)
    told = refusal(repository, "predict", PICTURE, "--run", champions.CHAMPION)
    assert "those evaluated had" in told
    assert "`dvc checkout` brings those back" in told
    happened("serve, predict and promote refuse in one line")


@pytest.mark.slow
@pytest.mark.fault("Nobody in", "a pickle in an output of DVC")
def test_a_pickle_in_an_output_is_not_loaded(repository, touched, happened):
    pickled = pickle.dumps(Touch(touched))
    images = repository.path / "data/normalized/validation/images.npy"
    np.save(images, np.array([Touch(touched)], object), allow_pickle=True)
    let_promote_look(repository)
    assert "images.npy: not a whole .npy file" in refusal(repository, "promote")
    run = repository.path / "results/runs" / champions.CHAMPION
    (run / "model.pkl").write_bytes(pickled)
    told = "model.pkl: is no file of a run, and may hold code; remove the directory and run `dvc repro`"
    assert told in refusal(repository, "publish")
    assert told in refusal(repository, "demo")
    (run / "model.pkl").unlink()
    (run / WEIGHTS).write_bytes(pickled)
    assert f"{champions.CHAMPION}: is damaged" in refusal(repository, "demo")
    assert not touched.exists()
    happened("promote, publish and demo refuse it in one line, and its code doesn't run")
