"""The patch of a dirty tree makes the same tree of its commit, and costs the user nothing."""

import os
import queue
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking import patch, streaming
from tests.tracking.repositories import commit, git


def tree(folder: Path) -> dict[str, Any]:
    """Everything in a folder but git's own: the bytes and mode of a file, the target of a link."""
    paths = [path for path in folder.rglob("*") if ".git" not in path.parts and not path.is_dir()]
    return {
        os.fsdecode(bytes(path.relative_to(folder))): path.readlink()
        if path.is_symlink()
        else (path.read_bytes(), path.stat().st_mode & 0o111)
        for path in paths
    }


def applied(content: bytes, target: Path) -> dict[str, Any]:
    """The tree of a clone of the commit, with the patch applied."""
    git("clone", "-q", ".", str(target))
    done = subprocess.run(["git", "apply"], cwd=target, input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return tree(target)


def change_everything() -> None:
    """Change, delete, add, rename, link and stage; text, bytes, and names that git would quote."""
    noise = random.Random(0).randbytes(3000)
    Path("blob").write_bytes(noise[::-1])
    Path("gone").unlink()
    Path("staged.py").write_text("1")
    git("add", "staged.py")
    Path("code.py").write_text("2\r\nno end of line")
    Path("code.py").chmod(0o755)
    for name in ("a b/é", 'quo"te', "new\nline", "empty"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"" if name == "empty" else noise[:100])
    Path("link").symlink_to("code.py")
    git("mv", "old", "renamed")


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine git may take longer than a run would wait."""
    monkeypatch.setattr(patch, "SECONDS", 60.0)


@pytest.fixture
def dirty(git_repository: Path) -> Path:
    Path("blob").write_bytes(random.Random(0).randbytes(3000))
    commit(gone="1", old="a\nb\nc\n")
    change_everything()
    return git_repository


def test_the_patch_makes_the_tree_of_its_commit(dirty: Path, tmp_path: Path) -> None:
    taken = patch.take()
    assert taken.tags == {}
    assert applied(taken.content, tmp_path / "clone") == tree(dirty)


def test_the_settings_of_the_user_change_nothing_of_it(dirty: Path, tmp_path: Path) -> None:
    plain = patch.take()
    settings = {"diff.noprefix": "true", "color.ui": "always", "diff.external": "false", "diff.context": "0"}
    settings |= {"status.showUntrackedFiles": "no", "diff.renames": "copies", "diff.relative": "true"}
    for name, value in settings.items():
        git("config", name, value)
    assert patch.take() == plain


def test_taking_it_leaves_index_and_objects_as_they_are(dirty: Path) -> None:
    index = Path(".git/index")
    before = index.read_bytes(), git("count-objects"), git("status", "--porcelain")
    patch.take()
    assert (index.read_bytes(), git("count-objects"), git("status", "--porcelain")) == before


def test_what_dvc_writes_and_git_ignores_is_not_in_it(git_repository: Path) -> None:
    lock = "schema: '2.0'\nstages:\n  a:\n    outs:\n    - {path: plots/a.csv, md5: '0'}\n"
    commit(dvc_lock=lock)
    for name in ("plots/a.csv", "data/raw", "results/evaluation.json", "plots/b.csv"):
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).write_text("changed\n")
    Path("dvc.lock").write_text(f"{lock}# changed\n")
    changed = [line for line in patch.take().content.splitlines() if line.startswith(b"diff ")]
    assert changed == [b"diff --git a/plots/b.csv b/plots/b.csv"]


def test_an_edit_of_the_same_size_in_the_second_of_the_commit_is_not_missed(git_repository: Path) -> None:
    git("config", "core.trustctime", "false")  # as on file systems where that time says nothing
    a_minute_ago = (time.time() - 60,) * 2
    Path("code.py").write_text("a")
    os.utime("code.py", a_minute_ago)
    commit()
    os.utime(".git/index", a_minute_ago)
    Path("code.py").write_text("b")
    os.utime("code.py", a_minute_ago)
    assert b"+b" in patch.take().content


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda: Path("large").write_bytes(b"0" * 2001), "the changed files"),
        (lambda: Path("blob").unlink(), "the patch"),
    ],
)
def test_what_is_too_large_is_not_stored_and_a_tag_says_so(
    git_repository: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[], object], what: str
) -> None:
    Path("blob").write_bytes(random.Random(0).randbytes(3000))
    commit()
    change()
    monkeypatch.setattr(patch, "LARGEST", 2000)
    taken = patch.take()
    assert taken.content == b""
    assert taken.tags == {"git.patch": f"not stored: {what}: 0.0 MB, at most 0 MB are kept"}


def test_ten_megabytes_are_refused_before_git_reads_them(git_repository: Path) -> None:
    with Path("large").open("wb") as file:
        file.truncate(11_000_000)
    taken = patch.take()
    assert taken.missing == "the changed files: 11.0 MB, at most 10 MB are kept"


def test_git_that_takes_too_long_is_given_up(dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch, "SECONDS", 0.0)
    assert patch.take().missing == "git takes longer than 0 s"


def test_git_that_fails_or_is_not_there_fails_nothing(dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(".git/refs")
    assert patch.take().missing.startswith("git: fatal: ")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "No such file" in patch.take().missing


def test_a_repository_within_the_tree_is_left_out(dirty: Path, tmp_path: Path) -> None:
    plain = patch.take()
    git("init", "-q", "inner")
    Path("inner/file").write_text("1")
    assert patch.take() == plain


def test_a_run_keeps_the_patch_of_when_it_began(
    git_repository: Path, client: Any, leave_run: Callable[..., Path]
) -> None:
    commit(_gitignore="/data\n/results/runs\n/mlflow.db*\n/mlartifacts\n", code_py="1\n")
    Path("code.py").write_text("2\n")

    def go_on_editing() -> None:
        if client.get_experiment_by_name("mnist"):  # the run is being opened
            Path("code.py").write_text("3\n")

    messages: streaming.Messages = queue.Queue()
    messages.put({"end": "FINISHED", "directory": str(leave_run().resolve()), "measured": {}})
    streaming.publish({"run": "softmax-manual", "experiment": "mnist"}, messages, go_on_editing)
    [run] = client.search_runs([client.get_experiment_by_name("mnist").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.tags["git.dirty"] == "true"
    assert "changes that are not committed: `patch.diff`" in run.data.tags["mlflow.note.content"]
    stored = Path(client.download_artifacts(run.info.run_id, "patch.diff")).read_text()
    assert stored.endswith("-1\n+2\n")
    assert Path("code.py").read_text() == "3\n"
