"""The answer in three sentences, computed from the files: the best model, the gradients, scikit-learn."""

from collections.abc import Sequence
from itertools import groupby

from pipeline.figures.comparison import RUNS, best_by_validation, outcome
from pipeline.reports import tables
from pipeline.reports.inputs import Gradients, Measured, Pair

BASELINE = "baseline-"
EXACT = "autograd_float64"
# How A stands to B, by what McNemar's test says of them.
RELATIONS = {
    "same": "is right on the same images as",
    "open": "doesn't differ significantly from",
    "a": "errs less than",
    "b": "errs more than",
}


def sentences(measured: Measured, pairs: Sequence[Pair], gradients: Gradients, images: int) -> list[str]:
    """Return the three sentences; `images` is the number of test images."""
    return [_best(measured, images), _gradients(gradients, pairs), _scikit_learn(measured, pairs)]


def _best(measured: Measured, images: int) -> str:
    run = best_by_validation(measured)
    what = f" ({RUNS[run]})" if run in RUNS else ""
    metrics = measured[run]
    low, high = 100 * metrics["test/error_low"], 100 * metrics["test/error_high"]
    return (
        f"Best by validation is `{run}`{what}: it errs on "
        f"{metrics['validation/error']:.2%} of the validation images, and on {metrics['test/error']:.2%} "
        f"(95% interval {low:.2f} – {high:.2f}) of the {images:,} test images, which had no part in any "
        f"choice."
    )


def _gradients(found: Gradients, pairs: Sequence[Pair]) -> str:
    failed = [
        model
        for model, checks in found.worst_relative_errors.items()
        if not tables.holds(checks, found.bounds)
    ]
    trained = _trained([pair for pair in pairs if pair.b.endswith("-autograd")])
    if failed:
        named = ", ".join(f"`{model}`" for model in failed)
        return f"Gradients derived by hand are NOT within the bounds of their checks in {named}{trained}."
    models = f"all {len(found.worst_relative_errors)} models"
    if EXACT not in found.bounds:
        return f"Gradients derived by hand agree with autograd's in {models}{trained}."
    largest = max(tables.worst(checks[EXACT]) for checks in found.worst_relative_errors.values())
    return (
        f"Gradients derived by hand agree with autograd's in {models}: in float64 they differ by at most "
        f"{largest:.1e}, relative, where {found.bounds[EXACT]:.0e} is allowed{trained}."
    )


def _trained(pairs: Sequence[Pair]) -> str:
    """Return what became of the networks trained by either gradient, as the end of a sentence."""
    words = [f"`{pair.a}` {_relation(pair)} `{pair.b}`{_chance(pair)}" for pair in pairs]
    return f"; on the test images, {_listed(words)}" if words else ""


def _scikit_learn(measured: Measured, pairs: Sequence[Pair]) -> str:
    compared = [pair for pair in pairs if pair.b.startswith(BASELINE)]
    if not compared:
        return "No run was compared with scikit-learn's."
    parts = []
    for (run, relation), group in groupby(compared, lambda pair: (pair.a, _relation(pair))):
        theirs = [f"{_estimator(pair.b)} ({_error(measured, pair.b)})" for pair in group]
        parts.append(f"`{run}` ({_error(measured, run)}) {relation} {_listed(theirs)}")
    return f"Beside scikit-learn, on the same test images, {'; '.join(parts)}."


def _estimator(run: str) -> str:
    return RUNS.get(run, run).removeprefix("scikit-learn's ")


def _error(measured: Measured, run: str) -> str:
    return f"{measured[run]['test/error']:.2%}"


def _relation(pair: Pair) -> str:
    return RELATIONS[outcome(pair)]


def _chance(pair: Pair) -> str:
    return "" if outcome(pair) == "same" else f" (p\u00a0=\u00a0{pair.p_value:.3g})"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
