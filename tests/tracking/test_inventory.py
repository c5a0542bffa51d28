"""What MLflow has of the run directories that DVC has as outputs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import runs
from pipeline.errors import UserError
from pipeline.tracking import connection, inventory, run_directory
from pipeline.tracking.publish import publish_missing

STAGES = """\
stages:
  train:
    matrix: {model: [a, b, c, d, e]}
    cmd: make ${item.model}
    outs: ["results/runs/${item.model}", "data/${item.model}"]
"""
RESULTS = Path("results")


@pytest.fixture
def states(git_repository: Path, client: Any, leave_run: Callable[..., Path], monkeypatch: Any) -> Any:
    """A store in which each run directory has another state, in the order of its letter."""
    Path("dvc.yaml").write_text(STAGES)
    leave_run("a")
    leave_run("b")
    leave_run("c", record=record("c"))
    publish_missing(RESULTS)
    with monkeypatch.context() as patch:  # as a stage that runs again, it doesn't ask what is there
        patch.setattr(connection, "finished_runs", lambda *_: [])
        publish_missing(RESULTS, ["b"])
    leave_run("c", record=record("c"), metrics={"validation/accuracy": 0.5})
    leave_run("d", record=record("d"))
    return client


def record(name: str) -> dict[str, Any]:
    return {"run": name, "experiment": "mnist", "model": "softmax", "gradient": name}


def test_each_run_directory_has_a_state_by_its_fingerprint(states: Any) -> None:
    entries = {entry.name: entry for entry in inventory.take(states)}
    assert {name: entry.state for name, entry in entries.items()} == {
        **{"a": "published", "b": "duplicated", "c": "stale", "d": "missing", "e": "absent"}
    }
    assert [len(entries[name].runs) for name in "abcde"] == [1, 2, 1, 0, 0]
    assert entries["a"].stage == "train@a"
    assert entries["a"].fingerprint == run_directory.fingerprint(RESULTS / "runs/a")
    assert entries["e"].fingerprint is None
    stale = states.get_run(entries["c"].runs[0]).data.tags["fingerprint"]
    assert stale != entries["c"].fingerprint


def test_a_newer_run_of_other_parameters_leaves_a_published_directory_published(
    states: Any, leave_run: Callable[..., Path]
) -> None:
    before = leave_run("a").rename("a before")
    leave_run("a", metrics={"validation/accuracy": 0.1})
    publish_missing(RESULTS, ["a"])
    shutil.rmtree(RESULTS / "runs/a")
    before.rename(RESULTS / "runs/a")
    assert inventory.take(states)[0].state == "published"


def test_the_list_counts_the_states_and_names_the_remedies(
    states: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    runs.show(as_json=False)
    *rows, last = capsys.readouterr().out.splitlines()
    assert last == (
        "runs: 5 in dvc.yaml: 1 published, 1 duplicated, 1 stale, 1 missing, 1 absent; "
        "the same bytes several times: delete in MLflow what you don't want; "
        "`make publish` adds what MLflow lacks; `dvc pull` or `dvc repro` brings what isn't on disk"
    )
    [row] = [row.split() for row in rows if "train@a" in row]
    assert row[:2] + row[3:4] == ["a", "train@a", "published"]
    assert run_directory.fingerprint(RESULTS / "runs/a").startswith(row[2])
    assert len(row[2]) == 12


def test_after_publishing_nothing_is_left_to_do(states: Any, capsys: pytest.CaptureFixture[str]) -> None:
    publish_missing(RESULTS)
    capsys.readouterr()
    runs.show(as_json=True)
    shown = json.loads(capsys.readouterr().out)["runs"]
    assert [entry["state"] for entry in shown] == ["published", "duplicated", *["published"] * 2, "absent"]
    assert shown[4] == {"name": "e", "stage": "train@e", "fingerprint": None, "runs": [], "state": "absent"}


def test_a_dvc_yaml_that_dvc_refuses_is_one_line(git_repository: Path, client: Any) -> None:
    Path("dvc.yaml").write_text("stages: 1\n")
    with pytest.raises(UserError, match=r"^dvc.yaml: ") as caught:
        inventory.take(client)
    assert "\n" not in str(caught.value)
