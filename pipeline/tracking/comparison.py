"""Two runs in MLflow side by side: parameters, final metrics, and what they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.tracking.quiet_mlflow import InputTag, Run

# What a run comes from, and what else decides its bits.
TAGS = (
    "fingerprint",
    "git.commit",
    "git.dirty",
    "params.digest",
    "dvc.stage",
    "dvc.exp.name",
    "processor",
    "blas.architecture",
    "blas.threads",
)
CONTEXT = "mlflow.data.context"

T = TypeVar("T", str, float)


@dataclass(frozen=True)
class Pair(Generic[T]):
    """What the two runs have under one name; None where a run has nothing."""

    name: str
    first: T | None
    second: T | None

    @property
    def equal(self) -> bool:
        """Whether both have the same; no number is the same as no number."""
        both_nan = self.first != self.first and self.second != self.second
        return self.first == self.second or both_nan


@dataclass(frozen=True)
class Comparison:
    """Every name that either run has, sorted; `tags` hold the digests of the datasets too."""

    parameters: list[Pair[str]]
    metrics: list[Pair[float]]
    tags: list[Pair[str]]

    @property
    def same(self) -> bool | None:
        """Whether the two left the same bytes; None where one has no fingerprint, as it didn't finish."""
        fingerprint = next(pair for pair in self.tags if pair.name == "fingerprint")
        if fingerprint.first is None or fingerprint.second is None:
            return None
        return fingerprint.equal


def compare(first: Run, second: Run) -> Comparison:
    """Put two runs side by side."""
    return Comparison(
        _pairs(first.data.params, second.data.params),
        _pairs(first.data.metrics, second.data.metrics),
        _pairs(_origin(first), _origin(second)),
    )


def _pairs(first: Mapping[str, T | None], second: Mapping[str, T | None]) -> list[Pair[T]]:
    return [Pair(name, first.get(name), second.get(name)) for name in sorted({**first, **second})]


def _origin(run: Run) -> dict[str, str | None]:
    digests = {
        f"data {dataset.dataset.name} {_context(dataset.tags)}".strip(): dataset.dataset.digest
        for dataset in (run.inputs.dataset_inputs if run.inputs else [])
    }
    tags = {name: run.data.tags.get(name) for name in TAGS}
    return {name: value for name, value in tags.items() if value or name == "fingerprint"} | digests


def _context(tags: list[InputTag]) -> str:
    return next((str(tag.value) for tag in tags if tag.key == CONTEXT), "")
