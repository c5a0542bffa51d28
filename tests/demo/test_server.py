"""The page's server: what it answers, whom it refuses, and how it starts and ends."""

import base64
import json
import shutil
import signal

import httpx
import numpy as np
import pytest

from pipeline.datasets import handwriting
from pipeline.demo.networks import SHOWN
from pipeline.tracking.scored_model import ScoredModel
from tests.demo import runs
from tests.loopback import free_port

INK = np.zeros((140, 140), np.uint8)
INK[20:120, 60:80] = 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return runs.leave(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def client(folder, port):
    with runs.serving(folder, port), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


def body(ink=INK):
    return {"ink": base64.b64encode(np.asarray(ink).tobytes()).decode()}


def refused(answer, status):
    """The one line that a refused request is answered with; nothing of what was sent is in it."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    (line,) = answer.json()["error"].splitlines()
    assert "secret" not in line
    return line


def test_each_network_answers_as_its_run_directory_does(client, folder):
    found = client.post("/predict", json=body()).raise_for_status().json()
    image = handwriting.centred(INK / np.float32(255))
    assert found["image"] == image.ravel().tolist()
    assert [answer["run"] for answer in found["networks"]] == list(SHOWN)
    for answer in found["networks"]:
        expected = ScoredModel(folder / "results/runs" / answer["run"]).predict(image[None])[0]
        np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-6)
        assert answer["digit"] == expected.argmax()
    assert len({tuple(answer["probabilities"]) for answer in found["networks"]}) == 3


def test_the_hidden_units_are_those_of_the_network_by_hand(client, folder):
    found = client.post("/predict", json=body()).json()
    described = client.get("/networks").json()
    weights = np.frombuffer(client.get("/weights").content, np.int8).reshape(runs.HIDDEN, 784)
    params = ScoredModel(folder / "results/runs/two_layer-manual")._weights
    X = (np.array(found["image"], np.float32) - 33) / 78
    np.testing.assert_allclose(found["hidden"], np.maximum(X @ params["W1"] + params["b1"], 0), rtol=1e-4)
    assert np.abs(weights).max(axis=1).tolist() == [127] * runs.HIDDEN
    scaled = 127 * params["W1"] / np.abs(params["W1"]).max(axis=0)
    assert np.abs(weights.T - scaled).max() <= 0.5001
    np.testing.assert_array_equal(np.float32(described["outgoing"]), params["W2"])


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"secret",
        b"[]",
        b'{"ink": 1}',
        b'{"ink": "secret!"}',
        json.dumps({**body(), "secret": 1}).encode(),
        json.dumps(body(np.zeros(27 * 27, np.uint8))).encode(),
        json.dumps(body(np.ones(28 * 29, np.uint8))).encode(),
        json.dumps(body(np.ones(513 * 513, np.uint8))).encode(),
        b"[" * 100_000,
    ],
    ids=["empty", "text", "list", "number", "base64", "field", "small", "square", "large", "deep"],
)
def test_what_is_no_drawing_is_refused_in_one_line(client, sent):
    answer = client.post("/predict", content=sent, headers={"Content-Type": "application/json"})
    assert refused(answer, 422).startswith("body: expected")


def test_a_blank_drawing_is_refused(client):
    assert refused(client.post("/predict", json=body(0 * INK)), 422) == "ink: nothing is drawn"


@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_a_megabyte_is_refused(client, chunked):
    sent = b"x" * (1_000_000 + 1)
    content = iter([sent[:1000], sent[1000:]]) if chunked else sent
    answer = client.post("/predict", content=content, headers={"Content-Type": "application/json"})
    assert refused(answer, 413) == "body: at most 1000000 bytes are taken"


def test_a_form_of_another_page_is_refused(client):
    assert "application/json" in refused(client.post("/predict", data={"ink": "secret"}), 415)


def test_what_isnt_there_is_one_line_too(client):
    refused(client.get("/secret"), 404)
    refused(client.get("/../app.py"), 404)
    refused(client.post("/"), 405)


@pytest.mark.parametrize(
    "host",
    [
        *("secret.example", "127.0.0.1.secret.example", "127.0.0.2", "", "[::"),
        *("secret.example@localhost", "localhost#.secret.example", "localhost/.secret.example"),
        *("localhost?.secret.example", "localhost:1:2"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/weights"])
def test_a_foreign_host_is_refused(client, host, path):
    assert refused(client.get(path, headers={"Host": host}), 403).startswith("Host:")


@pytest.mark.parametrize("origin", ["http://secret.example", "null", "http://127.0.0.1:1", "file://", ""])
def test_a_foreign_origin_may_not_post(client, origin):
    answer = client.post("/predict", json=body(), headers={"Origin": origin})
    assert refused(answer, 403).startswith("Origin:")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_page_itself_may_by_both_names_of_this_machine(client, port, name):
    own = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}"}
    assert client.post("/predict", json=body(), headers=own).status_code == 200


def test_every_answer_forbids_what_is_not_from_here(client):
    for answer in (client.get("/"), client.get("/secret"), client.get("/", headers={"Host": "secret"})):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_server_for_a_network_answers_to_addresses_but_to_no_foreign_name(folder):
    port = free_port()
    server = runs.start(folder, "--port", str(port), "--host", "0.0.0.0")
    try:
        assert server.stdout.readline() == f"Draw a digit: http://0.0.0.0:{port} (Ctrl-C ends it)\n"
        address = f"http://127.0.0.1:{port}/networks"
        assert httpx.get(address, headers={"Host": "192.168.1.7"}).status_code == 200
        refused(httpx.get(address, headers={"Host": "secret.example"}), 403)
    finally:
        server.kill()
        server.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_silently(folder, number):
    port = free_port()
    with runs.serving(folder, port) as server, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        client.get("/").raise_for_status()  # the connection stays open
        server.send_signal(number)
        assert server.communicate(timeout=10) == ("", "")
        assert server.returncode == 0


def test_an_address_of_another_machine_is_named(folder):
    server = runs.start(folder, "--host", "192.0.2.1")
    told = "error: host '192.0.2.1': Cannot assign requested address; name an address of this machine\n"
    assert server.communicate(timeout=20) == ("", told)


def test_a_missing_run_directory_is_named_with_the_remedy(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "results/runs/two_layer-autograd")
    server = runs.start(tmp_path, "--port", str(free_port()))
    out, err = server.communicate(timeout=20)
    assert (out, server.returncode) == ("", 2)
    assert err == (
        "error: results/runs/two_layer-autograd/record.json: no such file; "
        "`make repro` makes it, `dvc pull` brings it where it is stored\n"
    )
