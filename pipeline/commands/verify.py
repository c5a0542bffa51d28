"""Prove or refute a run in MLflow: what is stored is what it left, and its commit leaves it again."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline import machine
from pipeline.commands import clones
from pipeline.doctor import programs
from pipeline.errors import UserError
from pipeline.tracking import connection, run_directory, selection, stored, verification
from pipeline.tracking.quiet_mlflow import MlflowClient, Run
from pipeline.tracking.verification import Origin, Platform, Verdict

PARAMETERS = Path("params.yaml")
COMMIT = re.compile("[0-9a-f]{40,64}")


def verify(repository: Path, wanted: str) -> int:
    """Judge the run, tag it with the verdict and print it; return 0 where the run holds, else 1.

    Raises UserError where it isn't known which run is meant, where the run can't be made again, and where
    the store doesn't answer.
    """
    with connection.answering():
        client = connection.connect()
        run = selection.find(client, wanted)
    with tempfile.TemporaryDirectory(prefix="gradline verify ") as scratch:
        verdict = _judge(client, run, repository, Path(scratch))
    with connection.answering():
        verification.write(client, run, verdict, clones.head(repository))
    print(f"verify: {selection.words(run)}: {verdict.text}")
    return 1 if verdict.kind == "different" else 0


def _judge(client: MlflowClient, run: Run, repository: Path, scratch: Path) -> Verdict:
    with connection.answering():
        path = stored.download(client, run, scratch)
        faults = list(stored.faults(client, run, path, scratch))
    altered = [] if stored.is_intact(run, path) else [stored.altered(run, path)]
    if faults:
        return Verdict("different", faults, altered)
    try:
        with connection.answering():
            origin = verification.origin(client, run, scratch)
        return _reproduced(run, path, origin, repository)
    except UserError as error:
        if not altered:
            raise
        # That it was altered is certain; in which file, only what is made again could tell.
        return Verdict("different", altered, [str(error)])


def _reproduced(run: Run, path: Path, origin: Origin, repository: Path) -> Verdict:
    """Run the stage in a clone of the run's commit, and compare what it leaves."""
    words = selection.words(run)
    record = json.loads((path / run_directory.RECORD).read_text(encoding="utf-8"))
    _refuse_unknown(origin.commit, repository, words)
    with clones.of_commit(repository, origin.commit) as clone:
        if origin.patch:
            _apply(origin.patch, clone, words)
        _set(clone / PARAMETERS, record.get("parameters", {}))
        there = verification.platform(run) or _platform(clone, origin.stage)
        print(f"verify: {words}: running {origin.stage} of {origin.commit[:12]} in {clone}", flush=True)
        done = clones.repro(clone, "--force", "--", origin.stage, quiet=True)
        remade = clone / stored.RUNS / Path(record["run"]).name
        if done.returncode or not remade.is_dir():
            raise UserError(f"{words}: `dvc repro {origin.stage}` fails in the clone: {_said(done.stderr)}")
        others = _other_machine(there, _platform(clone, origin.stage))
        verdict = verification.judge(run, path, remade, same_machine=not others)
        return replace(verdict, reasons=[*verdict.reasons, *others, *_other_libraries(clone)])


def _refuse_unknown(commit: str, repository: Path, words: str) -> None:
    try:
        if not COMMIT.fullmatch(commit):
            raise UserError("is no commit")
        clones.call("git", "cat-file", "-e", f"{commit}^{{commit}}", cwd=repository)
    except UserError:
        raise UserError(
            f"{words}: git.commit {commit}: this repository doesn't have it; `git fetch` may bring it"
        ) from None


def _apply(patch: Path, clone: Path, words: str) -> None:
    try:
        clones.call("git", "apply", "--whitespace=nowarn", str(patch), cwd=clone)
    except UserError as error:
        raise UserError(f"{words}: its {patch.name} does not apply to its commit: {error}") from None


def _set(file: Path, parameters: Mapping[str, Any]) -> None:
    """Write these parameters into params.yaml where it has others; the rest of it stays as it is."""
    yaml = YAML()
    yaml.preserve_quotes = True
    data = yaml.load(file)
    if _update(data, parameters):
        yaml.dump(data, file)


def _update(section: Any, parameters: Mapping[str, Any]) -> bool:
    changed = False
    for key, value in parameters.items():
        if isinstance(value, Mapping) and isinstance(section.get(key), Mapping):
            changed |= _update(section[key], value)
        elif key not in section or section[key] != value:
            section[key] = value
            changed = True
    return changed


def _platform(clone: Path, stage: str) -> Platform | None:
    """Return on what kind of machine the stage's outputs in the clone were made, where it is recorded."""
    return machine.recorded(clone).get(stage)


def _other_machine(there: Platform | None, here: Platform | None) -> list[str]:
    """Return in a line that the kinds of machine differ; nothing where they don't, or one isn't known."""
    if there is None or here is None or there == here:
        return []
    return [f"made on {machine.words(there)}, here it is {machine.words(here)}"]


def _other_libraries(clone: Path) -> Iterator[str]:
    """Yield a line for each library that is installed in another version than the run's commit locks."""
    for name, locked, installed in programs.other_versions(clone / programs.LOCKED):
        yield f"its commit locks {name} {locked}, here is {installed or 'none'}"


def _said(stderr: str) -> str:
    """Return the line that says what went wrong: the stage's own, else DVC's."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    own = [line for line in lines if line.lower().startswith("error:")]
    return next(iter([*own, *lines[-1:]]), "it says nothing")
