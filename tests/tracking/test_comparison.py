"""Two runs side by side: what is said first, what is shown, and what a script reads."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import diff
from pipeline.tracking import connection
from pipeline.tracking.publish import publish_missing

RESULTS = Path("results")
Shown = Callable[..., str]


def record(name: str, rate: float) -> dict[str, Any]:
    return {
        "run": name,
        "experiment": "mnist",
        "model": "softmax",
        "dataset": {"name": "mnist", "train": {"digest": name[-1] * 64, "samples": 5}},
        "parameters": {"seed": 0, "learning_rate": rate, "list": [None]},
    }


@pytest.fixture
def shown(client: Any, leave_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> Shown:
    """Publish the runs `one` and `two`, which differ in a parameter, a metric and their data."""
    leave_run("one", record=record("one", 0.1), metrics={"validation/accuracy": 0.5, "only": 1})
    leave_run("two", record=record("two", 0.2), metrics={"validation/accuracy": 0.75})
    publish_missing(RESULTS)
    capsys.readouterr()

    def shown(first: str, second: str, **options: bool) -> str:
        diff.show(first, second, **{"everything": False, "as_json": False, **options})
        return capsys.readouterr().out

    return shown


def rows(out: str) -> dict[str, list[str]]:
    """The cells of every row, by the first."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}


def test_the_first_line_says_whether_two_runs_are_the_same(shown: Shown) -> None:
    other = shown("one", "two").splitlines()[0]
    assert " are not the same: they differ in 2 of 7 parameters, 2 of 3 metrics, 3 of 3 tags" in other
    same = shown("one", "one").splitlines()
    assert len(same) == 1
    assert same[0].endswith(" are the same: what they left has one fingerprint, to the bit")


def test_what_differs_is_shown_and_with_all_what_is_equal_too(shown: Shown) -> None:
    differing, everything = rows(shown("one", "two")), rows(shown("one", "two", everything=True))
    assert differing["learning_rate"] == ["0.1", "0.2"]
    assert differing["validation/accuracy"] == ["0.5", "0.75", "+0.25"]
    assert differing["only"] == ["1", "–", "–"]
    assert {"params.digest", "fingerprint"} <= differing.keys()
    assert {"model", "train/loss"} & differing.keys() == set()
    assert everything["model"] == ["softmax", "softmax"]
    assert everything["list"] == ["[null]", "[null]"]
    assert everything["train/loss"] == ["0.333333333", "0.333333333", "+0"]


def test_the_digests_of_the_data_are_compared(shown: Shown) -> None:
    tags = json.loads(shown("one", "two", as_json=True))["tags"]
    assert tags["data mnist training"] == {"a": "e" * 36, "b": "o" * 36}


def test_json_holds_full_precision_and_full_ids(shown: Shown, client: Any) -> None:
    found = json.loads(shown("one", "two", as_json=True, everything=True))
    assert found["same"] is False
    assert client.get_run(found["a"]["id"]).info.run_name == found["a"]["name"] == "one"
    assert found["parameters"]["seed"] == {"a": "0", "b": "0"}
    assert found["metrics"]["train/loss"] == {"a": 1 / 3, "b": 1 / 3, "difference": 0.0}
    assert found["metrics"]["only"] == {"a": 1.0, "b": None}


def test_a_metric_that_is_no_number_is_equal_to_itself_and_text_in_json(
    shown: Shown, leave_run: Callable[..., Path]
) -> None:
    for name in ("one", "two"):
        history = [{"step": 1, "train/loss": math.nan}]
        leave_run(name, record=record(name, 0.1), metrics={}, history=history)
    publish_missing(RESULTS)
    assert "train/loss" not in rows(shown("one", "two"))
    found = json.loads(shown("one", "two", as_json=True, everything=True))
    assert found["metrics"]["train/loss"] == {"a": "nan", "b": "nan", "difference": "nan"}


def test_of_a_run_that_did_not_finish_it_cannot_be_told(shown: Shown, client: Any) -> None:
    failed = client.create_run(connection.experiment_id(client, "mnist"), run_name="failed").info.run_id
    client.set_terminated(failed, "FAILED")
    said = shown("one", failed)
    assert f"can't be told, since failed ({failed[:8]}) is FAILED and has no fingerprint" in said
    assert json.loads(shown("one", failed, as_json=True))["same"] is None
