"""A project with an MLflow store, and what is in the store."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import processes

TOLD = "; the run is not in MLflow, `make publish` adds it"
# What changes from one training to the next, and stands in no file.
MEASURED = ("duration_seconds", "system/")
ADDED = "publish: 1 run added, 0 already there; evaluation added to 0 runs"
THERE = "publish: 0 runs added, 1 already there; evaluation added to 0 runs"


@dataclass(frozen=True)
class Tracked:
    """A project whose runs are logged to a store, by default the SQLite file at its root."""

    path: Path
    address: str = ""

    @property
    def directory(self) -> Path:
        """The run directory of the training."""
        return self.path / "results/runs/softmax-manual"

    def environment(self) -> dict[str, str]:
        return {"MLFLOW_TRACKING_URI": self.address} if self.address else {}

    def run(self, *arguments: str, **environment: str | None) -> tuple[int, str, list[str]]:
        """Run `python -m …` there to its end."""
        return processes.run(self.path, *arguments, **{**self.environment(), **environment})

    def train(self, **environment: str | None) -> list[str]:
        """Train, which must succeed, whatever the store does; return the warnings."""
        status, _, lines = self.run(*processes.TRAIN, **environment)
        assert status == 0, lines
        assert self.directory.is_dir()
        return lines

    def warned(self, **environment: str | None) -> str:
        """Train while the store fails; return the reason in the one warning."""
        [line] = self.train(**environment)
        assert line.startswith("warning: tracking: ")
        assert line.endswith(TOLD)
        return line.removeprefix("warning: tracking: ").removesuffix(TOLD)

    def publish(self, **environment: str | None) -> list[str]:
        """Publish, which must succeed; return what is printed."""
        status, out, lines = self.run(*processes.PUBLISH, **environment)
        assert (status, lines) == (0, [])
        return out.splitlines()

    def client(self) -> Any:
        from pipeline.tracking.quiet_mlflow import MlflowClient

        return MlflowClient(self.address or f"sqlite:///{self.path}/mlflow.db")

    def runs(self) -> list[Any]:
        """Every run that is not deleted, of every experiment."""
        client = self.client()
        return list(client.search_runs([found.experiment_id for found in client.search_experiments()]))

    def statuses(self) -> list[str]:
        return sorted(run.info.status for run in self.runs())

    def is_complete(self) -> None:
        """Check that one run is FINISHED with every point of its directory once, and that none is open."""
        client = self.client()
        [run] = [run for run in self.runs() if run.info.status == "FINISHED"]
        assert {each.info.status for each in self.runs()} <= {"FINISHED", "FAILED"}
        with (self.directory / "history.csv").open(encoding="utf-8") as file:
            history = list(csv.DictReader(file))
        for name in history[0]:
            if name == "epoch":
                continue
            expected = {(int(row["epoch"]), float(row[name])) for row in history}
            points = client.get_metric_history(run.info.run_id, name)
            stored = Counter((point.step, point.value) for point in points)
            # A final value of its own follows the curve, by a millisecond.
            last = int(history[-1]["epoch"])
            assert {point for point in stored if point[0] != last} == {p for p in expected if p[0] != last}
            assert expected <= set(stored)
            assert max(stored.values()) == 1
            assert len(stored) <= len(expected) + 1
        files = client.list_artifacts(run.info.run_id, "run")
        assert len(files) == len(list(self.directory.iterdir()))
        models = client.search_logged_models([run.info.experiment_id])
        assert [model.model_id for model in models if model.source_run_id == run.info.run_id] == [
            output.model_id for output in run.outputs.model_outputs
        ]
