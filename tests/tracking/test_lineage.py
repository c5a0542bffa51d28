from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.tracking import lineage
from tests.tracking.repositories import commit, git

LOCK = (
    "schema: '2.0'\nstages:\n  train@a:\n    outs:\n    - path: {path}\n      hash: md5\n      md5: {md5}\n"
)
MACHINE = {"processor", "blas.architecture", "blas.threads"}


def without_machine(tags: lineage.Tags) -> lineage.Tags:
    return {name: value for name, value in tags.items() if name not in MACHINE}


def lock(directory: Path, path: str = "results/runs/a") -> str:
    return LOCK.format(path=path, md5=lineage.dvc_hash(directory))


def test_a_directory_has_the_hash_that_dvc_gives_it(bare_repository: Path) -> None:
    from dvc.repo import Repo

    for name, content in {"a/é.txt": b"x", "a/b c": b"line\r\n", "a-b": b"", "a/b/c": b"\0\xff"}.items():
        path = Path("dir", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (bare_repository / ".dvc").rmdir()
    with Repo.init(no_scm=True) as repo:
        (stage,) = repo.add("dir")
        assert lineage.dvc_hash(Path("dir")) == stage.outs[0].hash_info.value


def test_a_run_in_the_making_has_the_commit_checked_out(git_repository: Path) -> None:
    assert without_machine(lineage.of_this_process()) == {
        "git.commit": git("rev-parse", "HEAD"),
        "mlflow.source.git.commit": git("rev-parse", "HEAD"),
        "git.commit.source": "HEAD",
        "git.dirty": "false",
    }


def test_a_run_in_the_making_has_its_processor_its_blas_and_the_threads_of_its_stage(
    git_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import machine

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    tags = lineage.of_this_process()
    assert tags["blas.architecture"] == machine.kind()["architecture"]
    assert tags["processor"] == machine.processor()
    assert tags["blas.threads"] == "7"


@pytest.mark.parametrize(
    ("path", "dirty"),
    [
        ("dvc.lock", "false"),
        ("results/evaluation.json", "false"),
        ("plots/[a].csv", "false"),  # an output, by dvc.lock
        ("README.md", "false"),  # `make repro` fills it with results
        ("docs/design.md", "true"),
        ("plots/a.csv", "true"),
        ("data/raw", "false"),  # ignored
        ("code.py", "true"),
        ("new.py", "true"),
    ],
)
def test_only_what_the_pipeline_does_not_write_makes_the_tree_dirty(
    git_repository: Path, path: str, dirty: str
) -> None:
    commit(dvc_lock=LOCK.format(path="plots/[a].csv", md5="a"))
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(Path("dvc.lock").read_text() + "# changed\n")
    assert lineage.of_this_process()["git.dirty"] == dirty


def test_a_user_who_hides_untracked_files_has_a_dirty_tree_by_them(git_repository: Path) -> None:
    git("config", "status.showUntrackedFiles", "no")
    Path("new.py").write_text("")
    assert lineage.of_this_process()["git.dirty"] == "true"


def test_a_stored_run_has_the_newest_commit_that_wrote_its_hash_into_dvc_lock(
    git_repository: Path, leave_run: Callable[..., Path]
) -> None:
    directory = leave_run("a")
    commit(dvc_lock=lock(directory))
    commit(dvc_lock="stages: {}\n")
    newest = commit(dvc_lock=lock(directory))
    commit(code_py="2")  # changes the code and not dvc.lock: nobody has run it
    assert lineage.of_stored(directory) == {
        "git.commit": newest,
        "mlflow.source.git.commit": newest,
        "git.commit.source": "dvc.lock",
        "dvc.stage": "train@a",
    }


def test_a_stored_run_of_another_branch_is_found_there(
    git_repository: Path, leave_run: Callable[..., Path]
) -> None:
    directory = leave_run("a")
    git("switch", "-qc", "experiment")
    there = commit(dvc_lock=lock(directory))
    git("switch", "-q", "-")
    assert lineage.of_stored(directory)["git.commit"] == there


def test_a_hash_in_no_commit_is_an_unknown_commit(
    git_repository: Path, leave_run: Callable[..., Path]
) -> None:
    directory = leave_run("a")
    commit(dvc_lock=lock(leave_run("b"), "results/runs/b"))
    assert lineage.of_stored(directory) == {"git.commit.source": "unknown"}


@pytest.mark.parametrize("git_is_installed", [True, False])
def test_without_git_or_without_a_repository_the_commit_is_unknown(
    bare_repository: Path,
    leave_run: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    git_is_installed: bool,
) -> None:
    if not git_is_installed:
        monkeypatch.setenv("PATH", "/nowhere")
    assert without_machine(lineage.of_this_process()) == {"git.commit.source": "unknown"}
    assert lineage.of_stored(leave_run()) == {"git.commit.source": "unknown"}


def test_a_damaged_dvc_lock_is_no_reason_to_fail(git_repository: Path) -> None:
    Path("dvc.lock").write_text("stages: [")
    assert lineage.of_this_process()["git.dirty"] == "false"
