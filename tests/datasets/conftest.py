import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import cache, download
from pipeline.datasets.mnist import FILES
from tests.datasets.fake_sources import Fetch, Serve, Server, Tiny, idx, serving


@pytest.fixture
def tiny() -> Tiny:
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (30, 28, 28)),
        np.arange(30) % 10,
        rng.integers(0, 256, (10, 28, 28)),
        np.arange(10),
    ]
    return Tiny({name: idx(array) for name, array in zip(FILES, arrays, strict=True)})


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serving() as start:
        yield start


@pytest.fixture
def mirror(tiny: Tiny, serve: Serve) -> Server:
    """A mirror that has the files."""
    return serve(lambda exchange: exchange.answer(gzip.compress(tiny.content[exchange.wanted])))


@pytest.fixture(autouse=True)
def _no_proxies_and_no_cache_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "unused cache"))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


@pytest.fixture
def fetch(tiny: Tiny, raw: Path, tmp_path: Path) -> Fetch:
    """`download.fetch` of the tiny files into `raw`, with a cache of this test's own."""

    def run(*sources: str, deadline: float = 10, into: Path = raw, kept: Path = tmp_path / "cache") -> str:
        return download.fetch(sources, into, deadline=deadline, cache=kept, files=tiny.files)

    return run
