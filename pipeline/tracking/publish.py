"""Add to MLflow what it lacks: the runs and results on disk that are not in it. `make publish` calls this."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from pipeline.errors import UserError
from pipeline.tracking import (
    connection,
    evaluated,
    evaluation,
    filling,
    lineage,
    opening,
    ownership,
    run_directory,
    scored_run,
)
from pipeline.tracking.quiet_mlflow import MlflowClient
from pipeline.tracking.run_directory import RunDirectory


def publish_missing(results: Path, names: Sequence[str] = ()) -> None:
    """Publish the runs in results/runs, or those of these names, and their evaluation; print what is added.

    What is in MLflow already is left as it is, so that a second call adds nothing. Raises UserError where
    there are no such runs, where a file is damaged or may hold code, and where the store doesn't answer.
    """
    paths = _paths(results / "runs", names)
    for path in paths:
        scored_run.require_harmless(path)
    directories = [run_directory.read(path) for path in paths]
    with _alone(results), connection.answering("run `make publish` again when the store answers"):
        client = connection.connect()
        for run in ownership.end_abandoned(client):
            print(f"publish: {run.info.run_name}: an interrupted run is ended")
        added = sum(_add_run(client, directory) for directory in directories)
        measured = _add_evaluation(client, results, directories)
    there = len(directories) - added
    print(f"publish: {_runs(added)} added, {there} already there; evaluation added to {_runs(measured)}")


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Wait for another that publishes these runs: each would add what the other is about to."""
    with ExitStack() as held:
        with suppress(OSError):  # nobody can publish from a folder at once that nobody can write
            held.enter_context(FileLock(results / ".publish.lock"))
        yield


def _paths(runs: Path, names: Sequence[str]) -> list[Path]:
    # A directory whose name begins with a dot is still being written.
    there = {path.parent.name: path.parent for path in sorted(runs.glob("[!.]*/record.json"))}
    if not there:
        raise UserError(f"{runs}: no runs; `dvc pull` or `make repro` brings them")
    for name in names:
        if name not in there:
            raise UserError(f"{runs / name}: no such run; there are {', '.join(there)}")
    return [there[name] for name in dict.fromkeys(names or there)]


def _add_run(client: MlflowClient, directory: RunDirectory) -> bool:
    fingerprint = run_directory.fingerprint(directory.path)
    experiment = connection.experiment_id(client, directory.experiment)
    if connection.finished_runs(client, fingerprint, experiment):
        return False
    run = opening.create(client, experiment, directory.name)
    try:
        filling.fill(client, run, directory, lineage.of_stored(directory.path))
    except BaseException:
        connection.abandon(client, run, "publishing was interrupted")
        raise
    print(f"publish: {directory.name}: added to {directory.experiment}")
    return True


def _add_evaluation(client: MlflowClient, results: Path, directories: Sequence[RunDirectory]) -> int:
    path, added = results / "evaluation.json", 0
    found = evaluated.read(path) if path.exists() else {}
    for name in (directory.name for directory in directories if directory.name in found):
        runs = evaluation.add(client, found[name], results / "evaluation" / name)
        if runs:
            print(f"publish: {name}: evaluation added to {_runs(runs)}")
        added += runs
    return added


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def main() -> None:
    """Publish, as a command; its arguments are names of runs. Status 2 and one line where it can't."""
    try:
        publish_missing(Path("results"), sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
