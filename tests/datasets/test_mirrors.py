"""Every way for a mirror to fail is met by a real server on this machine."""

import gzip
import time
from pathlib import Path

import httpx
import pytest

from pipeline.datasets import mirrors
from tests.datasets import fake_sources as fake
from tests.datasets.fake_sources import FIRST, Exchange, Fault, Fetch, Serve, Server, Tiny, refused

# Of a source that only its deadline ends, and of the others, which end long before on any machine.
SHORT, LONG = 1.0, 60.0


def test_a_mirror_brings_the_four_files_and_nothing_else(
    fetch: Fetch, mirror: Server, tiny: Tiny, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(mirror.address) == mirror.address
    assert tiny.is_in(raw)
    assert capsys.readouterr().err == f"fetch: {mirror.address}: 4 files verified\n"


def test_a_mirror_that_serves_the_files_plain_will_do(
    fetch: Fetch, serve: Serve, tiny: Tiny, raw: Path
) -> None:
    # As a server does that decompresses on the way, since we say that we want no encoding.
    fetch(serve(lambda exchange: exchange.answer(tiny.content[exchange.wanted])).address)
    assert tiny.is_in(raw)


FAULTS = {
    fake.lies: "wrong bytes (SHA-256 ",
    fake.says_so_in_html: f"{FIRST}: 42 of 23536 bytes",
    fake.cuts_off: "RemoteProtocolError: peer closed connection",
    fake.cuts_off_unnoticed: "damaged gzip: Compressed file ended",
    fake.damages: "damaged gzip: ",
    fake.has_nothing: f"{FIRST}.gz: HTTP 404",
    fake.goes_in_circles: f"{FIRST}.gz: more than 5 redirects",
    fake.points_at_a_file: "UnsupportedProtocol: ",
    fake.stalls: f"not done within {SHORT:g} s",
    fake.stalls_midway: f"not done within {SHORT:g} s",
    fake.drips: f"not done within {SHORT:g} s",
    fake.drips_headers: f"not done within {SHORT:g} s",
    fake.is_too_long: f"{FIRST}: more than 23536 bytes",
    fake.bombs: f"{FIRST}: more than 23536 bytes",
    fake.never_ends: f"{FIRST}.gz: more than 24795 bytes",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mirror_at_fault_is_passed_over_with_what_it_answered(
    fault: Fault,
    fetch: Fetch,
    serve: Serve,
    mirror: Server,
    tiny: Tiny,
    raw: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = serve(lambda exchange: fault(exchange, tiny))
    deadline = SHORT if "not done" in FAULTS[fault] else LONG
    started = time.monotonic()
    assert fetch(bad.address, mirror.address, deadline=deadline) == mirror.address
    assert time.monotonic() - started < SHORT + 5
    assert tiny.is_in(raw)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"fetch: {bad.address}: ")
    assert FAULTS[fault] in first
    assert second == f"fetch: {mirror.address}: 4 files verified"


def test_five_redirects_are_followed_and_not_a_sixth(
    fetch: Fetch, serve: Serve, tiny: Tiny, raw: Path
) -> None:
    def mirror_behind(redirects: int) -> str:
        def answer(exchange: Exchange) -> None:
            if exchange.path.count("/") - 1 == redirects:
                exchange.answer(gzip.compress(tiny.content[exchange.wanted]))
            else:
                exchange.answer(b"", 302, Location=f"/on{exchange.path}")

        return serve(answer).address

    assert refused(fetch, mirror_behind(6)) == f"{FIRST}.gz: more than 5 redirects"
    fetch(mirror_behind(5))
    assert tiny.is_in(raw)


def test_a_redirect_from_https_to_http_is_not_followed(
    fetch: Fetch, mirror: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(301, headers={"Location": mirror.address + request.url.path[1:]})

    client = httpx.AsyncClient
    monkeypatch.setattr(
        mirrors.httpx,
        "AsyncClient",
        lambda **options: client(transport=httpx.MockTransport(answer), **options),
    )
    assert "redirected from https to http://127.0.0.1" in refused(fetch, "https://secure.example/")
    assert not mirror.asked


@pytest.mark.parametrize("address", ["http://127.0.0.1:99999/", "http://127.0.0.1:-1/"])
def test_an_address_that_is_none_is_passed_over(address: str, fetch: Fetch) -> None:
    assert refused(fetch, address)


@pytest.mark.parametrize(
    "proxy",
    [
        *("socks5://127.0.0.1:9", "nonsense://127.0.0.1:9"),
        *("http://127.0.0.1:9", "http://127.0.0.1:99999"),
    ],
)
def test_a_proxy_that_does_not_work_is_the_sources_fault_and_no_traceback(
    proxy: str, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    assert "Error: " in refused(fetch, "http://mirror.example/")
