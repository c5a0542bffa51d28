"""One exercise without DVC: what its author saw, what is the answer, and what is checked."""

import json
import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pipeline import machine, params
from pipeline.errors import UserError
from pipeline.params.threads import ThreadsParams

if TYPE_CHECKING:  # importing an exercise imports NumPy, which must find the threads set
    from pipeline.exercises import Exercise, Variant
    from pipeline.exercises.outcome import Outcome

WIDTH = 100


def show(name: str, variant: str, changes: Sequence[str], *, as_json: bool) -> None:
    """Run the exercise with the settings in params.yaml, changed as told, and print what it leaves.

    `changes` are texts KEY=VALUE. Raises UserError for a name, variant or value that there isn't, and for a
    claim that fails, after everything is printed.
    """
    threads = params.load_fields(ThreadsParams).threads
    machine.prepare(threads)
    from pipeline import exercises
    from pipeline.exercises import outcome as outcomes

    exercise = exercises.get(name)
    machine.hold(threads)
    chosen = _variant(variant, exercises.VARIANTS)
    settings = params.load(type(exercise.RECIPE), f"exercise.{name}")
    settings = params.changed(settings, dict(map(_change, changes)), "command line")
    with outcomes.refusing(f"exercise {name}"):
        outcome = exercise.run(chosen, settings)
    if as_json:
        print(json.dumps(_finite(_object(name, variant, settings.seed, outcome)), allow_nan=False))
    else:
        print("\n".join(_page(name, chosen, settings, exercise, outcome)))
    outcomes.require(name, variant, outcome)


def _variant(variant: str, variants: Sequence["Variant"]) -> "Variant":
    for each in variants:
        if each == variant:
            return each
    raise UserError(f"--as {variant!r}: choose one of {', '.join(variants)}")


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text!r}: write KEY=VALUE")
    return key, params.value(value)


def _object(name: str, variant: str, seed: int, outcome: "Outcome") -> dict[str, Any]:
    from pipeline.exercises.outcome import plain

    return {
        "exercise": name,
        "variant": variant,
        "seed": seed,
        "trace": plain(outcome.trace),
        "results": plain(outcome.results),
    }


def _finite(value: Any) -> Any:
    """Return the value with null for each number that is none, or infinite: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _page(
    name: str, variant: "Variant", settings: Any, exercise: "Exercise", outcome: "Outcome"
) -> Iterator[str]:
    from pipeline.exercises import headline, other

    title, does = headline(exercise, variant)
    yield f"{title}, as {variant}: {does}"
    yield from ("", *outcome.printed, "")
    yield from _wrapped("Question: ", exercise.QUESTION)
    yield from _wrapped("Answer: ", exercise.ANSWER)
    yield ""
    for claim in outcome.claims:
        mark = "ok  " if claim.holds else "FAIL"
        yield f"{mark} {claim.says}: {claim.found} (allowed: {claim.allowed})"
    for measure, value in exercise.timings(settings).items():
        yield f"{measure}: {value:.4g}"
    yield ""
    yield f"Derivation: docs/exercises/{name}.md. The other variant: exercise {name} --as {other(variant)}"


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(label + text, WIDTH, subsequent_indent=" " * len(label))
