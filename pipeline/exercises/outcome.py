"""What a run of an exercise leaves: its trace, its results, and the claims that it checks itself by."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pipeline.errors import UserError
from pipeline.learning.arrays import Array, Params

Row: TypeAlias = dict[str, Any]
Trace: TypeAlias = list[Row]
# In a cell of a table, where a bare one would end it.
BAR = r"\|"


@contextmanager
def refusing(where: str) -> Iterator[None]:
    """Raise UserError, which begins with `where`, for settings that an exercise refuses."""
    try:
        # What overflows at an extreme setting fails the claims: those say it, in one line.
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


@dataclass(frozen=True)
class Claim:
    """Something that an exercise shows, with the number that shows it and where that number must lie."""

    says: str
    value: float
    low: float
    high: float
    is_statement: bool = False
    """Whether the number stands for yes, 1, or no, 0."""

    @property
    def holds(self) -> bool:
        """Whether the number lies where it must; one that is no number lies nowhere."""
        return self.low <= self.value <= self.high

    @property
    def allowed(self) -> str:
        """Where the number must lie, in words."""
        if self.is_statement:
            return "yes"
        if self.low == self.high:
            return f"{self.low:.12g}"
        if math.isinf(self.low):
            return f"at most {self.high:.3g}"
        if math.isinf(self.high):
            return f"at least {self.low:.3g}"
        return f"{self.low:.12g} to {self.high:.12g}"

    @property
    def found(self) -> str:
        """The number, to as many digits as it takes to see where it lies."""
        if self.is_statement:
            return "yes" if self.value else "no"
        return f"{self.value:.3g}" if math.isinf(self.low) or math.isinf(self.high) else f"{self.value:.9g}"

    @property
    def shown(self) -> dict[str, str]:
        """The claim as documentation holds it."""
        return {"says": self.says, "found": self.found, "allowed": self.allowed}


def at_most(says: str, value: float, bound: float) -> Claim:
    """Claim that a number is at most `bound`."""
    return Claim(says, float(value), -math.inf, bound)


def at_least(says: str, value: float, bound: float) -> Claim:
    """Claim that a number is at least `bound`."""
    return Claim(says, float(value), bound, math.inf)


def is_true(says: str, value: object) -> Claim:
    """Claim that something is so."""
    return Claim(says, float(bool(value)), 1.0, 1.0, is_statement=True)


def published(says: str, value: float, number: float, tolerance: float) -> Claim:
    """Claim that a number is the published one, but for `tolerance`: half a unit of its last digit."""
    return Claim(f"{says}, published as {number!r}", float(value), number - tolerance, number + tolerance)


@dataclass(frozen=True)
class Outcome:
    """One variant of an exercise, run."""

    model: str
    """The name of the model in pipeline/learning/models that it trained or differentiated."""
    gradient: str
    """How it was differentiated, in a word or two."""
    X: Array
    y: Array
    """The samples."""
    trace: Trace
    """One row an iteration, in full precision: `iteration`, `loss` and what else its author printed."""
    results: dict[str, Any]
    """What was found, as JSON holds it: numbers, text, lists; `results[<setting>]["trace"]` for others."""
    claims: list[Claim]
    weights: Params
    printed: list[str]
    """The lines that its author would have seen."""


def plain(value: Any) -> Any:
    """Return NumPy's and torch's numbers and arrays as Python's own, inside of dictionaries and lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.tolist() if hasattr(value, "tolist") else value


def traces(outcome: Outcome) -> Iterator[tuple[str, Trace]]:
    """Yield the main trace, named "", and the trace of each further setting, with its name."""
    yield "", outcome.trace
    for name, value in outcome.results.items():
        if isinstance(value, Mapping) and "trace" in value:
            yield name, value["trace"]


def without_traces(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results but for the traces, which are long."""
    return {
        name: without_traces(value) if isinstance(value, Mapping) else value
        for name, value in results.items()
        if name != "trace"
    }


def as_table(claims: Iterable[Mapping[str, str]]) -> list[str]:
    """Return claims, as `Claim.shown` gives them, as the lines of a table in Markdown."""
    rows = (
        f"| {claim['says'].replace('|', BAR)} | {claim['found']} | {claim['allowed']} |" for claim in claims
    )
    return ["| claim | found | allowed |", "| --- | --- | --- |", *rows]


def require(name: str, variant: str, outcome: Outcome) -> None:
    """Raise UserError naming the first claim that fails, with what was found and what is allowed."""
    failed = [claim for claim in outcome.claims if not claim.holds]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise UserError(
            f"exercise {name}, as {variant}: {failed[0].says}: found {failed[0].found}, "
            f"allowed is {failed[0].allowed}{more}; the code is wrong, or a setting too extreme"
        )
