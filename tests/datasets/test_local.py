"""Directories and archives, as people and npm make them and as an attacker would."""

import gzip
import tarfile
from pathlib import Path

import pytest

from tests.datasets.fake_sources import FIRST, Fetch, Tiny, add, archived, compressed, refused


def test_plain_and_compressed_directories_and_archives_bring_the_same_files(
    fetch: Fetch, tiny: Tiny, tmp_path: Path
) -> None:
    plain = tiny.write(tmp_path / "with space")
    sources = [
        str(plain),
        plain.as_uri(),
        str(compressed(tiny, tmp_path / "gz")),
        str(archived(tiny, tmp_path / "a.tgz")),
        archived(tiny, tmp_path / "a.tar", "w").as_uri(),
    ]
    for number, source in enumerate(sources):
        into = tmp_path / f"raw{number}"
        assert fetch(source, into=into, kept=tmp_path / f"cache{number}") == source
        assert tiny.is_in(into)


def test_a_relative_path_starts_where_the_pipeline_runs(
    fetch: Fetch, tiny: Tiny, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(tmp_path / "here" / "mine")
    monkeypatch.chdir(tmp_path / "here")
    assert fetch("mine") == "mine"
    assert tiny.is_in(raw)


def test_a_directory_that_lacks_a_file_is_passed_over(fetch: Fetch, tiny: Tiny, tmp_path: Path) -> None:
    (tiny.write(tmp_path / "d") / "t10k-labels-idx1-ubyte").unlink()
    assert refused(fetch, str(tmp_path / "d")) == "t10k-labels-idx1-ubyte is missing"


def test_a_gzip_bomb_stops_at_the_expected_size(
    fetch: Fetch, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (compressed(tiny, tmp_path / "gz") / f"{FIRST}.gz").write_bytes(gzip.compress(bytes(20 << 20)))
    written = 0
    read = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        nonlocal written
        data = read(self, size)
        written += len(data)
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    assert refused(fetch, str(tmp_path / "gz")) == f"{FIRST}: more than 23536 bytes"
    assert written == 23537


def test_members_outside_the_archive_and_links_are_not_the_files(
    fetch: Fetch, tiny: Tiny, raw: Path, tmp_path: Path
) -> None:
    """Each of the wanted names is there in a form that must be passed over, before the right one."""
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in tiny.content:
            add(archive, f"../../{name}", b"traversal")
            add(archive, f"/{name}", b"absolute")
            add(archive, f"package/data/{name}", type=tarfile.SYMTYPE, linkname="/etc/passwd")
            add(archive, f"package/hard/{name}", type=tarfile.LNKTYPE, linkname=f"../../{name}")
            add(archive, f"package/fifo/{name}", type=tarfile.FIFOTYPE)
        for name, data in tiny.content.items():
            add(archive, f"package/data/{name}", data)
    fetch(str(path))
    assert tiny.is_in(raw)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tgz", "cache", "raw"]


def test_what_an_archive_lacks_is_named(fetch: Fetch, tiny: Tiny, raw: Path, tmp_path: Path) -> None:
    del tiny.content["t10k-labels-idx1-ubyte"], tiny.content["train-labels-idx1-ubyte"]
    path = archived(tiny, tmp_path / "a.tgz")
    tiny.content |= {"t10k-labels-idx1-ubyte": b"", "train-labels-idx1-ubyte": b""}
    answer = refused(fetch, str(path))
    assert answer == "t10k-labels-idx1-ubyte, train-labels-idx1-ubyte missing from the archive"
    assert not list(raw.iterdir())


@pytest.mark.parametrize("keep", [0, 1, 100, 2000, -20])
def test_an_archive_cut_short_is_refused(fetch: Fetch, tiny: Tiny, tmp_path: Path, keep: int) -> None:
    path = archived(tiny, tmp_path / "a.tgz")
    path.write_bytes(path.read_bytes()[:keep])
    assert refused(fetch, str(path))


def test_a_file_that_is_no_archive_is_refused(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"not an archive at all" * 100)
    assert "no tar archive that can be read" in refused(fetch, str(tmp_path / "a.tgz"))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE])
def test_an_archive_bomb_beside_the_files_or_in_a_header_is_not_read_to_its_end(
    fetch: Fetch, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    monkeypatch.setattr("pipeline.datasets.local.MOST_BESIDES", 1 << 20)
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        add(archive, "bomb", bytes(2 << 20), type=kind)
    assert refused(fetch, str(tmp_path / "a.tgz")) == "an archive of far more than the wanted files"
