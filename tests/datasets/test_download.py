"""What holds for all sources together."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.datasets.fake_sources import FIRST, NOBODY, Fetch, Serve, Server, Tiny


def test_when_every_source_fails_one_line_names_each_and_nothing_is_left(
    fetch: Fetch, serve: Serve, tiny: Tiny, raw: Path, tmp_path: Path
) -> None:
    lies = serve(lambda exchange: exchange.answer(gzip.compress(bytes(tiny.files[exchange.wanted].size))))
    has_nothing = serve(lambda exchange: exchange.answer(b"", 404))
    sources = [lies.address, has_nothing.address, NOBODY, str(tmp_path / "nowhere")]
    with pytest.raises(UserError) as caught:
        fetch(*sources)
    message = str(caught.value)
    assert "\n" not in message
    assert all(f"{source}: " in message for source in sources)
    assert "ConnectError" in message
    assert message.endswith("and name it in params.yaml under fetch.sources")
    assert not list(raw.iterdir())
    assert not list((tmp_path / "cache").iterdir())


def test_only_what_is_missing_or_wrong_is_downloaded(
    fetch: Fetch, mirror: Server, tiny: Tiny, raw: Path
) -> None:
    (tiny.write(raw) / FIRST).write_bytes(bytes(tiny.files[FIRST].size))
    fetch(mirror.address)
    assert mirror.asked == [f"/{FIRST}.gz"]
    assert tiny.is_in(raw)
    assert fetch(NOBODY) == "already there"


def test_on_a_terminal_a_bar_counts_the_bytes_and_names_in_brackets_are_no_markup(
    fetch: Fetch, mirror: Server, tiny: Tiny, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    fetch("[/nowhere]", mirror.address)
    assert tiny.is_in(raw)
    shown = terminal.getvalue()
    assert "t10k-labels-idx1-ubyte.gz" in shown
    assert "bytes" in shown
    assert f"fetch: {mirror.address}: 4 files verified\n" in shown
