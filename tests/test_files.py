"""Files and directories are there whole, or as they were."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline import errors, files
from pipeline.errors import UserError


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "a földer"


@pytest.fixture
def directory(folder):
    """A directory with something old in it."""
    old = folder / "run"
    (old / "deep").mkdir(parents=True)
    (old / "deep/old.txt").write_text("old")
    return old


def listed(folder):
    """Every file and directory under it, by path: also those whose names begin with a dot."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def interrupted(original, at=1):
    """Return `original` such that Ctrl-C comes just after its call number `at`."""
    calls = []

    def wrapped(*arguments):
        done = original(*arguments)
        calls.append(arguments)
        if len(calls) == at:
            raise KeyboardInterrupt
        return done

    return wrapped


def test_write_bytes_makes_the_folders_and_leaves_nothing_else(folder):
    files.write_bytes(folder / "a/b/c.bin", b"\0\r\n\xff")
    assert (folder / "a/b/c.bin").read_bytes() == b"\0\r\n\xff"
    assert listed(folder) == {"a", "a/b", "a/b/c.bin"}


def test_write_bytes_replaces_a_file_by_another_and_never_writes_into_it(folder):
    files.write_bytes(folder / "file", b"old")
    os.link(folder / "file", folder / "linked")  # as DVC links outputs to its cache
    files.write_bytes(folder / "file", b"new")
    assert (folder / "file").read_bytes() == b"new"
    assert (folder / "linked").read_bytes() == b"old"


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(folder, monkeypatch, step):
    files.write_bytes(folder / "file", b"old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, full)
    with pytest.raises(UserError, match="file: No space left on device; make room there"):
        files.write_bytes(folder / "file", b"new")
    assert (folder / "file").read_bytes() == b"old"
    assert listed(folder) == {"file"}


def test_ctrl_c_after_half_a_file_leaves_the_old_one(folder, monkeypatch):
    files.write_bytes(folder / "file", b"old")
    monkeypatch.setattr(Path, "write_bytes", interrupted(Path.write_bytes))
    with pytest.raises(KeyboardInterrupt):
        files.write_bytes(folder / "file", b"new")
    assert (folder / "file").read_bytes() == b"old"
    assert listed(folder) == {"file"}


def test_write_text_is_utf_8_with_the_line_ends_as_they_are(folder):
    files.write_text(folder / "text", "x² ≤ ½\r\n\n")
    assert (folder / "text").read_bytes() == "x² ≤ ½\r\n\n".encode()


def test_json_has_the_same_bytes_whatever_the_order_of_its_keys(folder):
    files.write_json(folder / "a", {"b": [1, 2.5], "a": "é"})
    files.write_json(folder / "b", {"a": "é", "b": [1, 2.5]})
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    text = (folder / "a").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": "é", "b": [1, 2.5]}
    assert text.endswith("}\n")
    assert "é" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_has_no_word_for_what_is_no_finite_number_and_keeps_the_old_file(folder, value):
    files.write_json(folder / "file", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(folder / "file", {"loss": value})
    assert (folder / "file").read_text() == "1\n"
    assert listed(folder) == {"file"}


def test_a_directory_is_there_when_the_block_ends_and_not_before(folder):
    target = folder / "runs/new"
    with files.replacing(target) as new:
        (new / "file").write_text("1")
        assert not target.exists()
    assert listed(folder) == {"runs", "runs/new", "runs/new/file"}


def test_the_old_directory_is_replaced_as_a_whole(folder, directory):
    with files.replacing(directory) as new:
        assert listed(new) == set()
        (new / "new.txt").write_text("new")
        assert (directory / "deep/old.txt").read_text() == "old"
    assert listed(folder) == {"run", "run/new.txt"}


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_directory_and_no_temporary_one(folder, directory, error):
    before = listed(folder)
    with pytest.raises(error), files.replacing(directory) as new:
        (new / "half").write_text("1")
        raise error
    assert listed(folder) == before
    assert (directory / "deep/old.txt").read_text() == "old"


def test_a_block_that_fails_leaves_no_directory_where_there_was_none(folder):
    with pytest.raises(ValueError, match="no"), files.replacing(folder / "run"):
        raise ValueError("no")
    assert listed(folder) == set()


def test_a_swap_that_fails_half_way_puts_the_old_directory_back(folder, directory, monkeypatch):
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".new.tmp"):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    before = listed(folder)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(UserError, match="make it writable"), files.replacing(directory):
        pass
    assert listed(folder) == before


def test_ctrl_c_between_the_two_renames_of_a_swap_puts_the_old_directory_back(folder, directory, monkeypatch):
    before = listed(folder)
    monkeypatch.setattr(Path, "rename", interrupted(Path.rename))
    with pytest.raises(KeyboardInterrupt), files.replacing(directory):
        pass
    assert listed(folder) == before


def test_ctrl_c_after_a_swap_is_still_ctrl_c(folder, directory, monkeypatch):
    monkeypatch.setattr(Path, "rename", interrupted(Path.rename, at=2))
    with pytest.raises(KeyboardInterrupt), files.replacing(directory) as new:
        (new / "file").write_text("new")
    assert listed(folder) in ({"run", "run/file"}, {"run", "run/deep", "run/deep/old.txt"})


def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize("age", ["new", "old"])
def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_of_a_live_one(directory, age):
    left, live, another = (
        directory.with_name(name)
        for name in (f".run.{gone()}.{age}.tmp", f".run.{os.getppid()}.new.tmp", f".other.{gone()}.new.tmp")
    )
    for path in (left, live, another):
        path.mkdir()
    with files.replacing(directory) as new:
        (new / "new.txt").write_text("new")
    assert not left.exists()
    assert live.exists()
    assert another.exists()
    assert files.leftovers(directory.parent) == [another]


def test_the_next_writer_of_a_file_removes_what_a_killed_one_left(folder):
    files.write_bytes(folder / "file", b"old")
    left = folder / f".file.{gone()}.tmp"
    left.write_bytes(b"ha")
    files.write_bytes(folder / "file", b"new")
    assert listed(folder) == {"file"}


@pytest.mark.parametrize("place", ["file/new", "file/folder/new"])
def test_a_file_where_a_folder_belongs_is_told_with_the_remedy(tmp_path, place):
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(UserError, match=errors.FOLDER):
        files.write_bytes(tmp_path / place, b"new")
