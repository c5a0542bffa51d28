"""The champion of the small pipeline, made and served as a user does it: with processes and over HTTP."""

import json
import shutil
import signal
import socket
import sys
import time

import httpx
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.commands import promote
from pipeline.datasets import raw_pixels, splits
from pipeline.learning import models, probabilities
from pipeline.tracking import connection, registry, run_directory
from tests.loopback import free_port
from tests.repositories import copy

pytestmark = pytest.mark.slow
DATA = "data/normalized"
# Seconds that a server may take to start and to end beside other tests.
PATIENCE = 60
BATCH = 256
# An address of this machine where a server answers that listens on all of them, and none on 127.0.0.1.
ELSEWHERE = "127.0.0.2"


@pytest.fixture(scope="module")
def promoted(repository, tmp_path_factory):
    """A copy of the pipeline's repository and store after `promote`, which had no test images to look at."""
    made = copy(repository, tmp_path_factory.mktemp("served") / "répository")
    shutil.copyfile(repository.path / "mlflow.db", made.path / "mlflow.db")
    (made.path / DATA / "test").rename(made.path / "put aside")
    done = made.run(sys.executable, "-m", "pipeline", "promote")
    assert (done.returncode, done.stderr) == (0, "")
    (made.path / "put aside").rename(made.path / DATA / "test")
    return made, done.stdout


@pytest.fixture(scope="module")
def best(promoted):
    """The name of the best by validation, and its evaluation."""
    repository, _ = promoted
    evaluated = json.loads(repository.text("results/evaluation.json"))
    ranks = ("validation/error", "validation/log_loss")
    name = min(evaluated, key=lambda name: (*(evaluated[name][rank] for rank in ranks), name))
    return name, evaluated[name]


@pytest.fixture(scope="module")
def server(promoted):
    """`serve`, as a process: how it says that it listens, its address, and the process."""
    process, port = start(promoted[0], "serve")
    said = process.stdout.readline()
    yield said, f"http://127.0.0.1:{port}", process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def ui(promoted):
    """`ui`, as a process: how it says that it listens, its address, and the process."""
    process, port = start(promoted[0], "ui")
    said = process.stdout.readline()
    wait_until(lambda: is_listening(port))
    yield said, f"http://127.0.0.1:{port}", process
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)


@pytest.fixture(scope="module")
def test_images(promoted):
    """The raw pixels of the test images (N, 784), and the labels (N,)."""
    data = promoted[0].path / DATA
    return raw_pixels.read(data / "test", data / "normalization.safetensors")


def start(repository, command):
    """Start a server of the command line; return the process and its port."""
    port = free_port()
    process = repository.start(sys.executable, "-m", "pipeline", command, "--port", str(port))
    return process, port


def ask(address, images):
    """The probabilities (N, 10) that the server answers for raw pixels (N, 784)."""
    body = {"inputs": images.tolist()}
    answer = httpx.post(f"{address}/invocations", json=body, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return np.array(answer.json()["predictions"])


def test_the_best_by_validation_is_the_champion(promoted, best):
    said = promoted[1]
    assert f"promote: {best[0]} (" in said
    assert f"the lowest validation error of 10 models, {best[1]['validation/error']:.2%} of 400" in said


def test_it_says_what_it_serves_and_where(server, best):
    said, address, _ = server
    shown = f"{best[0]} ({best[1]['fingerprint'][:12]})"
    assert f"serving gradline-digits version 1, {shown}, on {address} (Ctrl-C ends it" in said
    assert httpx.get(f"{address}/ping", timeout=PATIENCE).status_code == 200
    assert httpx.get(f"{address}/version", timeout=PATIENCE).text.startswith("3.")


def test_every_test_image_gets_the_digit_of_the_evaluation(server, promoted, best, test_images):
    images, labels = test_images
    batches = [images[at : at + BATCH] for at in range(0, len(images), BATCH)]
    served = np.concatenate([ask(server[1], batch) for batch in batches])
    assert (served.argmax(axis=1) == labels).mean() == pytest.approx(best[1]["test/accuracy"], abs=1e-12)
    directory = run_directory.read(promoted[0].path / "results/runs" / best[0])
    standardised, _ = splits.read(promoted[0].path / DATA / "test")
    with threadpool_limits(directory.record["parameters"]["threads"]):  # others can mean other last digits
        model, weights = models.get(directory.record["model"]), directory.weights()
        # In the batches that were asked for: of another size they can mean other last digits, too.
        parts = [standardised[at : at + BATCH] for at in range(0, len(images), BATCH)]
        scores = np.concatenate([model.scores(weights, part) for part in parts])
    expected = probabilities.get(directory.record["probabilities"])(scores)
    assert np.array_equal(served.argmax(axis=1), expected.argmax(axis=1))
    assert abs(served - expected).max() <= 1e-6


def test_an_image_alone_gets_what_it_gets_among_others(server, test_images):
    images, _ = test_images
    some = range(0, BATCH, 8)  # a BLAS may add up a product's last rows in another order than its first
    alone = np.concatenate([ask(server[1], images[at : at + 1]) for at in some])
    among = ask(server[1], images[:BATCH])[some]
    assert np.array_equal(alone.argmax(axis=1), among.argmax(axis=1))
    assert abs(alone - among).max() <= 1e-6


def test_it_listens_on_this_machine_only(server):
    assert not is_listening(int(server[1].rpartition(":")[2]), ELSEWHERE)


def test_sigterm_ends_it_with_status_0_and_no_traceback(server):
    _, _, process = server
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == ""


def test_ctrl_c_while_it_loads_ends_it_with_status_0(promoted):
    process, port = start(promoted[0], "serve")
    wait_until(lambda: is_listening(port))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert process.stdout.read() + process.stderr.read() == ""


def test_a_tracking_server_has_the_champion_and_takes_another(ui, promoted, best, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ui[1])
    monkeypatch.chdir(promoted[0].path)
    client = connection.connect()
    assert run_directory.fingerprint(registry.champion(client)) == best[1]["fingerprint"]
    client.delete_model_version(registry.NAME, "1")
    promote.promote()
    assert capsys.readouterr().out.endswith("promote: gradline-digits version 2 is the champion\n")
    model = client.get_logged_model(registry.require(client).source.model_id)
    noted = json.loads(model.tags["mlflow.modelVersions"])
    assert [version["version"] for version in noted] == [1, 2]


def test_ctrl_c_ends_the_ui_with_status_0_and_all_that_it_started(ui):
    said, address, process = ui
    port = int(address.rpartition(":")[2])
    assert said == f"MLflow UI: {address}/#/experiments?workflowType=machine_learning (Ctrl-C ends it)\n"
    assert not is_listening(port, ELSEWHERE)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert not is_listening(port)
    assert "Traceback" not in process.stderr.read()


def is_listening(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(happened):
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)
