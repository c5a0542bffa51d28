"""The download cache saves the network, and costs nothing where it can't be had."""

import os
import stat
import sys
from pathlib import Path

import pytest

from pipeline.datasets import cache
from tests.datasets.fake_sources import FIRST, NOBODY, Fetch, Server, Tiny, refused


def test_a_second_clone_needs_no_source(fetch: Fetch, mirror: Server, tiny: Tiny, tmp_path: Path) -> None:
    fetch(mirror.address)
    assert fetch(NOBODY, into=tmp_path / "second clone") == "cache"
    assert tiny.is_in(tmp_path / "second clone")
    assert len(mirror.asked) == 4


def test_a_damaged_cache_entry_is_discarded_in_one_line_and_fetched_again(
    fetch: Fetch, mirror: Server, tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(mirror.address)
    entry = tmp_path / "cache" / tiny.files[FIRST].sha256
    entry.write_bytes(entry.read_bytes()[:-1] + b"\0")
    capsys.readouterr()
    assert fetch(mirror.address, into=tmp_path / "again") == mirror.address
    assert mirror.asked[4:] == [f"/{FIRST}.gz"]
    assert tiny.is_in(tmp_path / "again")
    warning, _ = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"fetch: cache: {entry} is damaged and discarded: ")
    assert entry.read_bytes() == tiny.content[FIRST]


@pytest.mark.parametrize("place", ["a file", "a file/cache", "read-only"])
def test_a_cache_that_cannot_be_written_costs_one_line_and_nothing_else(
    place: str,
    fetch: Fetch,
    mirror: Server,
    tiny: Tiny,
    raw: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "read-only").mkdir()
    (tmp_path / "read-only").chmod(stat.S_IRUSR | stat.S_IXUSR)
    if place == "read-only" and os.access(tmp_path / place, os.W_OK):
        pytest.skip("nothing is read-only for this user")
    assert fetch(mirror.address, kept=tmp_path / place) == mirror.address
    assert tiny.is_in(raw)
    warnings = [line for line in capsys.readouterr().err.splitlines() if "verified" not in line]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"fetch: going on without the download cache {tmp_path / place}: ")


def test_a_full_disk_under_the_cache_costs_one_line_and_leaves_no_half_entry(
    fetch: Fetch,
    mirror: Server,
    tiny: Tiny,
    raw: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(source: Path, destination: Path) -> None:
        destination.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    fetch(mirror.address)
    assert tiny.is_in(raw)
    assert "No space left on device" in capsys.readouterr().err.splitlines()[0]
    assert not list((tmp_path / "cache").iterdir())


def test_a_damaged_entry_is_gone_even_where_nothing_replaces_it(
    fetch: Fetch, tiny: Tiny, tmp_path: Path
) -> None:
    entry = tmp_path / "cache" / tiny.files[FIRST].sha256
    entry.parent.mkdir()
    entry.write_bytes(b"damaged")
    refused(fetch, NOBODY)
    assert not entry.exists()


def test_the_cache_is_the_users_unless_the_environment_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.find() == tmp_path / "unused cache"
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    found = cache.find()
    assert found is not None
    assert found.is_relative_to(tmp_path / "home") or sys.platform != "linux"
    assert found.parts[-2:] == ("gradline", "mnist")


def test_without_a_home_there_is_no_cache_and_no_folder_named_after_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: Path("~/.cache") / name)
    monkeypatch.delenv(cache.VARIABLE)
    assert cache.find() is None
    assert (
        "without the download cache ~/.cache/gradline/mnist: not an absolute path" in capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())
