"""What doctor says where it can't read what it looks at: a line, and then the rest."""

from pathlib import Path

import pytest

from pipeline import machine
from pipeline.commands import doctor
from tests.tracking.repositories import git


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")


def examined(capsys: pytest.CaptureFixture[str]) -> str:
    assert doctor.examine(deep=False) == 1
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["dvc.lock", ".dvc/tmp/rwlock"])
def test_a_directory_in_the_place_of_a_file(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).mkdir(parents=True)
    said = examined(capsys)
    assert f"{name}: " in said
    assert "requirements/runtime.txt: is missing" in said


@pytest.mark.parametrize("content", [None, "stages: [", "stages:\n  a: 1\n", "\0"])
def test_a_pipeline_that_is_none(content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if content:
        Path("dvc.yaml").write_text(content)
    (line,) = (line for line in examined(capsys).splitlines() if line.startswith("dvc.yaml: "))
    assert line.endswith("; `git checkout HEAD -- dvc.yaml` brings it back")


def test_a_lock_file_cut_off_after_a_whole_entry(capsys: pytest.CaptureFixture[str]) -> None:
    lock = Path("dvc.lock")
    lock.write_text("schema: '2.0'\nstages:\n  a:\n    cmd: a\n  b:\n    cmd: b\n")
    git("init", "-q")
    git("add", "dvc.lock")
    git("commit", "-qm", "whole")
    assert "dvc.lock: " not in examined(capsys)
    lock.write_text(lock.read_text().partition("  b:")[0])
    assert "dvc.lock: lacks of the last commit's stages b; `git checkout HEAD -- dvc.lock`" in examined(
        capsys
    )


@pytest.mark.parametrize("content", ['{"write": {"a": {"pid": 1e999}}}', "[" * 100_000])
def test_a_lock_of_dvc_that_is_none(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    lock = Path(".dvc/tmp/rwlock")
    lock.parent.mkdir(parents=True)
    lock.write_text(content)
    assert f"{lock}: can't be read, and DVC refuses to run; `rm -r {lock}`" in examined(capsys)


def test_a_record_of_the_machines_with_the_markers_of_a_conflict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.RECORD.parent.mkdir()
    machine.RECORD.write_text("<<<<<<< HEAD\n{}\n")
    assert f"`git checkout HEAD -- {machine.RECORD}` brings it back" in examined(capsys)


def test_a_store_that_is_none_is_named_once_with_its_own_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mlflow.db").write_text("no database")
    line = next(line for line in examined(capsys).splitlines() if line.startswith("tracking: "))
    assert line.count("mlflow.db") == 1
    assert line.endswith("move it away and a new one is made")


def test_an_address_that_is_no_stores(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://there")
    assert "tracking: MLFLOW_TRACKING_URI = 'nonsense://there': allowed is" in examined(capsys)
