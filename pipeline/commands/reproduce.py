"""Prove that the outputs in dvc.lock can be made again: in a clone, elsewhere, from nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import lock_file, machine, params, tolerance
from pipeline.commands import clones
from pipeline.errors import UserError
from pipeline.params.threads import ThreadsParams

EVALUATION = Path("results/evaluation.json")


def reproduce(repository: Path) -> int:
    """Run the committed pipeline in a temporary clone; return 0 where its outputs are the same, else 1.

    The same means to the bit. Where processor, BLAS architecture or threads are others than those
    recorded, it means that every accuracy agrees within pipeline.tolerance. UserError: nothing to
    compare, or the pipeline fails in the clone.
    """
    _refuse_uncommitted(repository)
    expected = outputs(repository)
    others = _other_platforms(repository)
    commit = clones.head(repository)
    with clones.of_commit(repository, commit) as clone:
        print(f"reproduce: running every stage of {commit[:12]} in {clone}", flush=True)
        _run_every_stage(clone)
        different = differences(expected, outputs(clone))
        if not different:
            print(f"reproduce: identical: all {len(expected)} outputs have the hashes in dvc.lock")
            return 0
        for line in different:
            print(f"reproduce: {line}")
        if not others:
            print(
                f"reproduce: {len(different)} of {len(expected)} outputs differ on the same kind of machine"
            )
            return 1
        for line in others:
            print(f"reproduce: {line}")
        return _within_tolerance(repository, clone)


def _run_every_stage(clone: Path) -> None:
    if clones.repro(clone, "--force").returncode:
        raise UserError("the pipeline fails in the clone; what it said stands above")


def outputs(repository: Path) -> dict[str, str]:
    """Return the hash of every output in a repository's dvc.lock, by path."""
    path = repository / lock_file.PATH
    if not path.exists():
        raise UserError(f"{path}: no such file; run `make repro` and commit {path.name} first")
    try:
        stages = lock_file.stages(path.read_bytes())
    except ValueError as error:
        remedy = f"`git checkout COMMIT -- {path.name}` brings back one that is whole; commit it"
        raise UserError(f"{path}: is damaged ({error}); {remedy}") from error
    return {out.path: out.md5 for stage in stages.values() for out in stage.outs}


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return one line for each output that isn't the same in both."""
    paths = sorted(expected.keys() | found.keys())
    return [
        f"{path}: {expected.get(path, 'absent')} in dvc.lock, {found.get(path, 'absent')} made again"
        for path in paths
        if expected.get(path) != found.get(path)
    ]


def _other_platforms(repository: Path) -> list[str]:
    """Return one line for each kind of machine recorded that isn't this one."""
    recorded = machine.recorded(repository).values()
    machine.prepare(params.load_fields(ThreadsParams).threads)
    here = machine.kind()
    return sorted(
        {
            f"made on {machine.words(there)}; here it is {machine.words(here)}"
            for there in recorded
            if there != here
        }
    )


def _within_tolerance(repository: Path, clone: Path) -> int:
    """Compare every accuracy, where bits can't be compared."""
    there, here = (json.loads((root / EVALUATION).read_text()) for root in (repository, clone))
    largest = max(abs(a - b) for a, b in _accuracies(there, here))
    verdict = "within" if largest <= tolerance.ACCURACY else "NOT within"
    print(
        f"reproduce: {verdict} tolerance: the largest difference of an accuracy is {largest:.4f}, "
        f"allowed is {tolerance.ACCURACY}"
    )
    return 0 if largest <= tolerance.ACCURACY else 1


def _accuracies(there: dict[str, Any], here: dict[str, Any]) -> Iterator[tuple[float, float]]:
    if there.keys() != here.keys():
        raise UserError(f"{EVALUATION}: the runs are not the same: {', '.join(there.keys() ^ here.keys())}")
    for name, metrics in there.items():
        for metric, value in metrics.items():
            if metric.endswith("/accuracy"):
                yield value, here[name][metric]


def _refuse_uncommitted(repository: Path) -> None:
    lock = str(lock_file.PATH)
    if not clones.call("git", "ls-files", "--", lock, cwd=repository):
        raise UserError(f"{lock}: is not committed, so there is nothing to compare; run `make repro`, commit")
    changed = clones.call("git", "status", "--porcelain", "--untracked-files=no", cwd=repository)
    if changed:
        raise UserError(
            f"{changed.splitlines()[0].split(maxsplit=1)[1]}: is changed and not committed; "
            "what is reproduced is the last commit, so commit first"
        )
