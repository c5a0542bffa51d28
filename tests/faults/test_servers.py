"""Who may ask the three servers, and what becomes of requests that are none: real processes, over HTTP."""

import base64
import json
import socket
import time
from contextlib import ExitStack, suppress

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.faults import champions

IMAGE = [0] * 784
GOOD = {
    "serve": ("/invocations", {"inputs": [IMAGE]}),
    "demo": ("/predict", {"ink": base64.b64encode(bytes(300) + bytes([255] * 484)).decode()}),
    "ui": ("/api/2.0/mlflow/experiments/create", {"name": "secret"}),
}
SCORING = ("serve", "demo")
JSON = {"Content-Type": "application/json"}
MEGABYTE = 1_000_000
FOREIGN_HOSTS = (
    "secret.example",
    "127.0.0.1.secret.example",
    "10.secret.example",
    "127.0.0.1:1@secret.example",
)
FOREIGN_ORIGINS = ("http://secret.example", "null", "https://127.0.0.1.secret.example")
# Of either server: requests of every kind that may not be answered with a number.
MALFORMED = {
    "no JSON": (b"secret", JSON),
    "half of it": (b'{"inputs": [[0, 0', JSON),
    "no UTF-8": (b'{"inputs": [["\xff\xfe"]]}', JSON),
    "nothing": (b"", JSON),
    "a list": (b"[]", JSON),
    "another field": (b'{"secret": 1}', JSON),
    "deep": (b"[" * 100_000, JSON),
    "a number too long": (b'{"inputs": [[' + b"9" * 100_000 + b"]]}", JSON),
    "no content type": (json.dumps({"inputs": [IMAGE]}).encode(), {}),
    "a form": (b"ink=secret&inputs=secret", {"Content-Type": "application/x-www-form-urlencoded"}),
    "CSV": (b"secret,1\n2,3\n", {"Content-Type": "text/csv"}),
    "a Parquet file": (b"PAR1secret", {"Content-Type": "application/vnd.apache.parquet"}),
    "another encoding": (
        json.dumps({"inputs": [IMAGE]}).encode(),
        {"Content-Type": "application/json; charset=x"},
    ),
    **{
        f"a pixel {pixel}": (json.dumps({"inputs": [[*IMAGE[1:], pixel]]}).encode(), JSON)
        for pixel in (float("nan"), float("inf"), -1, 256, 0.5, True, None, "1", [1])
    },
    "783 pixels": (json.dumps({"inputs": [IMAGE[1:]]}).encode(), JSON),
    "one image flat": (json.dumps({"inputs": IMAGE}).encode(), JSON),
    "images of two lengths": (json.dumps({"inputs": [IMAGE, IMAGE[1:]]}).encode(), JSON),
    "no image": (b'{"inputs": []}', JSON),
    "two fields": (json.dumps({"inputs": [IMAGE], "params": {"secret": 1}}).encode(), JSON),
}
# What a hostile client may send: bytes, JSON of any shape, and nearly right bodies.
ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    ATOMS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=8
)
PIXELS = st.lists(ATOMS, min_size=1, max_size=3).map(lambda odd: [*odd, *IMAGE[len(odd) :]])
FIELDS = st.sampled_from(
    ["inputs", "instances", "dataframe_split", "dataframe_records", "ink", "params", "secret"]
)
BODIES = st.one_of(
    st.binary(max_size=200),
    VALUES.map(json.dumps).map(str.encode),
    st.dictionaries(FIELDS, VALUES | st.lists(PIXELS, max_size=2), min_size=1)
    .map(json.dumps)
    .map(str.encode),
    st.tuples(
        st.just(json.dumps({"inputs": [IMAGE]}).encode()), st.integers(0, 2300), st.binary(max_size=3)
    ).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]),
)
CONTENT_TYPES = st.sampled_from(
    ["application/json"] * 6 + ["text/csv", "application/vnd.apache.parquet", "", "a;b"]
)
METHODS = st.sampled_from(["POST"] * 8 + ["PUT", "GET", "DELETE", "secret"])


@pytest.fixture(scope="module")
def repository(tmp_path_factory, empty_store):
    return champions.promoted(tmp_path_factory.mktemp("nobody in"), empty_store)


@pytest.fixture(scope="module")
def servers(repository):
    with ExitStack() as ending:
        yield {name: ending.enter_context(champions.serving(repository, name)) for name in GOOD}


def post(server, **changes):
    path, good = GOOD[server.name]
    return httpx.post(server.address + path, **{"json": good, "timeout": champions.PATIENCE, **changes})


def refused(answer, *statuses):
    """Whether a request is answered with one of these and one line, in which is nothing that was sent."""
    assert answer.status_code in statuses, answer.text[:500]
    assert len(answer.text.splitlines()) <= 1
    for word in ("secret", "Traceback", "stack_trace", ".py"):
        assert word not in answer.text
    return True


def said_in_one_line(answer, *statuses):
    refused(answer, *statuses)
    assert list(answer.json()) == ["error"]
    return answer.json()["error"]


@pytest.mark.fault("Nobody in", "somebody on another machine asks the UI, the scoring server or the demo")
def test_every_server_listens_on_this_machine_only(servers, happened):
    for server in servers.values():
        connections = [each for process in server.processes() for each in process.net_connections("inet")]
        listening = {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
    happened("three servers, every listening socket on 127.0.0.1")


@pytest.mark.fault(
    "Nobody in", "a site has its own name point to this machine, and asks under it (DNS rebinding)"
)
def test_a_foreign_host_is_refused(servers, happened):
    for server in servers.values():
        for host in FOREIGN_HOSTS:
            page = httpx.get(server.address, headers={"Host": host}, timeout=champions.PATIENCE)
            assert refused(page, 403)
            assert refused(post(server, headers={"Host": host}), 403)
        own = server.address.removeprefix("http://")
        for host in (own, own.replace("127.0.0.1", "localhost")):
            assert post(server, headers={"Host": host}).status_code in (200, 400)  # created once
    happened(f"403 by all three for {', '.join(FOREIGN_HOSTS[:3])}")


@pytest.mark.fault("Nobody in", "a page of another site sends what changes or computes something")
def test_a_foreign_origin_is_refused(servers, happened):
    for server in servers.values():
        for origin in FOREIGN_ORIGINS:
            assert refused(post(server, headers={"Origin": origin}), 403)
        assert post(server, headers={"Origin": server.address}).status_code in (200, 400)
    happened("403 by all three")


@pytest.mark.fault("Nobody in", "a body over 1 MB, announced or not, or without an end")
def test_a_large_body_is_refused_and_not_kept(servers, happened):
    most = 0
    for name in SCORING:
        server = servers[name]
        before = server.memory()
        endless = (b" " * 65536 for _ in range(3000))  # 200 MB
        for content in (b" " * (MEGABYTE + 1), iter([b" " * MEGABYTE, b" "]), endless):
            said = said_in_one_line(post(server, json=None, content=content, headers=JSON), 413)
            assert said == "body: at most 1000000 bytes are taken"
        grown = server.memory() - before
        assert grown < 30e6
        most = max(most, grown)
        assert post(server).status_code == 200
    happened(f"413; 200 MB in chunks took {most / 1e6:.0f} MB of memory")


@pytest.mark.slow
@pytest.mark.fault("Nobody in", "a body that comes slowly, or never")
def test_a_slow_body_is_given_up(servers, happened):
    for name in SCORING:
        host, _, port = servers[name].address.removeprefix("http://").rpartition(":")
        began = time.monotonic()
        with socket.create_connection((host, int(port)), timeout=champions.PATIENCE) as slow:
            head = f"POST {GOOD[name][0]} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 9999\r\n"
            slow.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode())
            slow.settimeout(1)
            answer = b""
            while not answer:
                with suppress(TimeoutError):
                    slow.sendall(b" ")
                    answer = slow.recv(4096)
            assert b" 408 " in answer.splitlines()[0]
            assert b"body: took longer than 10 seconds to arrive" in answer + slow.recv(4096)
        assert time.monotonic() - began >= 9
        assert post(servers[name]).status_code == 200
    happened("408 after 10 seconds, and the connection is closed")


@pytest.mark.fault(
    "Nobody in", "a request that is no image: no JSON, NaN, another shape or type, CSV, bad UTF-8"
)
def test_what_is_no_image_is_refused_in_one_line(servers, happened):
    for name in SCORING:
        for fault, (content, headers) in MALFORMED.items():
            answer = post(servers[name], json=None, content=content, headers=headers)
            assert said_in_one_line(answer, 415, 422), fault
        assert said_in_one_line(httpx.get(servers[name].address + "/secret"), 404)
        assert said_in_one_line(httpx.get(servers[name].address + GOOD[name][0]), 404, 405)
        assert post(servers[name]).status_code == 200
        assert servers[name].log.read_text().count("\n") <= 2
        upper_case = {"Content-Type": "Application/JSON; charset=UTF-8"}
        assert post(servers[name], headers=upper_case).status_code == 200
    happened(f"{len(MALFORMED)} kinds of bodies: 415 or 422, one line each")


@pytest.mark.fault("Nobody in", "thousands of requests that a fuzzer makes")
def test_no_request_of_a_fuzzer_ends_the_server_or_makes_it_talk(servers, happened, request):
    count = 5000 if request.config.getoption("--slow") else 100
    statuses = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(BODIES, CONTENT_TYPES, METHODS)
    def ask(content, kind, method):
        headers = {"Content-Type": kind} if kind else {}
        for name, client in clients.items():
            answer = client.request(method, GOOD[name][0], content=content, headers=headers)
            statuses.append(answer.status_code)
            if answer.status_code != 200:
                said_in_one_line(answer, 404, 405, 415, 422)

    with ExitStack() as opened:
        clients = {
            name: opened.enter_context(
                httpx.Client(base_url=servers[name].address, timeout=champions.PATIENCE)
            )
            for name in SCORING
        }
        ask()
    for name in SCORING:
        assert post(servers[name]).status_code == 200
        assert "Traceback" not in servers[name].log.read_text()
    assert len(statuses) >= 2 * count
    happened(
        f"{len(statuses):,} requests, {statuses.count(200)} of them answered, the others 4xx in one line"
    )
