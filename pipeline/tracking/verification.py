"""Whether a run is what it says: what it takes to make it again, and the verdict on what that leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline import tolerance
from pipeline.errors import UserError
from pipeline.tracking import connection, differences, patch, run_directory, selection, stored
from pipeline.tracking.differences import Sides, Weight
from pipeline.tracking.quiet_mlflow import MlflowClient, Run, RunTag
from pipeline.tracking.run_directory import RunDirectory

# Differences that a verdict names.
NAMED = 3
# The metrics that are an accuracy, or 1 minus it.
RATES = ("accuracy", "/error")
MADE_AGAIN = Sides("stored", "made again")
Platform = Mapping[str, Any]
Kind = Literal["identical", "within tolerance", "different"]


class Origin(NamedTuple):
    """What a run was made from: a commit, the changes to it, and the stage that made it."""

    commit: str
    stage: str
    patch: Path | None


@dataclass(frozen=True)
class Verdict:
    """What is proved, where it differs, and why that may be: other machines, other libraries."""

    kind: Kind
    details: Sequence[str] = ()
    reasons: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The verdict on one line."""
        if self.kind == "identical":
            return self.kind
        return f"{self.kind}: {'; '.join([*_first(self.details), *_first(self.reasons)])}"


def origin(client: MlflowClient, run: Run, scratch: Path) -> Origin:
    """Return what the run was made from; its patch is downloaded into `scratch`.

    Raises UserError where it doesn't say, or not all.
    """
    words, tags = selection.words(run), run.data.tags
    if "git.commit" not in tags:
        raise UserError(f"{words}: its commit is unknown, so it can't be made again")
    if "dvc.stage" not in tags:
        raise UserError(f"{words}: names no DVC stage that made it, so it can't be made again")
    changes = None
    if tags.get("git.dirty") == "true":
        listed = {item.path for item in client.list_artifacts(run.info.run_id)}
        if patch.ARTIFACT not in listed:
            why = tags.get("git.patch", "not stored")
            raise UserError(
                f"{words}: was made with changes to {tags['git.commit'][:12]}; its patch is {why}"
            )
        changes = Path(client.download_artifacts(run.info.run_id, patch.ARTIFACT, str(scratch)))
    return Origin(tags["git.commit"], tags["dvc.stage"], changes)


def platform(run: Run) -> Platform | None:
    """Return the kind of machine that the run says it was made on, as results/platform.json does."""
    tags = run.data.tags
    if not {"processor", "blas.architecture", "blas.threads"} <= tags.keys():
        return None
    return {
        "processor": tags["processor"],
        "architecture": tags["blas.architecture"],
        "threads": int(tags["blas.threads"]),
    }


def judge(run: Run, original: Path, remade: Path, *, same_machine: bool) -> Verdict:
    """Compare a stored run directory with one that was made again, on the same kind of machine or another."""
    lines = list(differences.between(original, remade, MADE_AGAIN))
    if not stored.is_intact(run, original):
        return Verdict("different", lines, [stored.altered(run, original)])
    if not lines:
        return Verdict("identical")
    if same_machine:
        return Verdict("different", lines)
    return _tolerant(run_directory.read(original), run_directory.read(remade), lines)


def write(client: MlflowClient, run: Run, verdict: Verdict, commit: str) -> None:
    """Tag the run with the verdict, in place of an earlier one, and with the commit of who verified."""
    tags = {"verified": verdict.text[: connection.LONGEST_TAG], "verified.commit": commit}
    client.log_batch(run.info.run_id, tags=[RunTag(*pair) for pair in tags.items()])


def _first(lines: Sequence[str]) -> list[str]:
    more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return [*lines[:NAMED], *more]


def _tolerant(original: RunDirectory, remade: RunDirectory, lines: Sequence[str]) -> Verdict:
    """Hold the rates to their tolerance; of a run that has none, the weights; else the stage's own bounds."""
    weights = original.weights(), remade.weights()
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in weights]
    if shapes[0] != shapes[1] or original.metrics.keys() != remade.metrics.keys():
        return Verdict("different", lines)
    farthest = differences.largest(*weights)
    place = _place(farthest) if farthest else lines[0]
    rates = [name for name in original.metrics if name.endswith(RATES)]
    if rates:
        gap = max(abs(original.metrics[name] - remade.metrics[name]) for name in rates)
        return _held("an accuracy", gap, tolerance.ACCURACY, place)
    if weights[0]:
        gap = farthest.relative if farthest else 0.0
        return _held("a weight, relative to its tensor,", gap, tolerance.WEIGHT, place)
    return Verdict("within tolerance", ["what it measures is within the bounds of its stage", place])


def _held(what: str, gap: float, allowed: float, place: str) -> Verdict:
    details = [f"the largest difference of {what} is {gap:.4f}, allowed is {allowed}", place]
    return Verdict("within tolerance" if gap <= allowed else "different", details)


def _place(weight: Weight) -> str:
    values = MADE_AGAIN.of(weight.first, weight.second)
    return f"the weights differ most in {weight.place}: {values}, {weight.relative:.1e} of its largest"
