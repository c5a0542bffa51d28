"""The tables of the report: captions, headers and cells as text; what stands between backticks is code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.figures.comparison import (
    PUBLISHED,
    RUNS,
    SIGNIFICANT,
    error_with_interval,
    ranked,
    validation_error,
    verdict,
)
from pipeline.reports.inputs import (
    Claim,
    Gradients,
    Measured,
    Pair,
    Polynomial,
    Regression,
)

CHECKS = {
    "autograd_float64": "autograd, float64",
    "autograd_float32": "autograd, float32",
    "directions": "central differences along random directions",
    "coordinates": "central differences in single coordinates",
}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
PASS, FAIL = "pass", "FAIL"


@dataclass(frozen=True)
class Row:
    """A row: what it is about, a smaller note under that, and the cells beside it."""

    head: str
    cells: Sequence[str]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; `words` are the columns that hold text where the others hold numbers."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    words: Sequence[str] = ()


def runs(measured: Measured, best: str) -> Table:
    """Return every run with its metrics, the smallest test error first, as results/comparison.md has them."""
    return Table(
        "Every run on the test images, the smallest error first",
        (
            "run",
            "test error (95% interval)",
            "validation error",
            "log loss (nats)",
            "calibration error",
            "macro-F1",
        ),
        [
            Row(
                f"`{run}`" + (" (best by validation)" if run == best else ""),
                (
                    error_with_interval(metrics),
                    validation_error(metrics),
                    f"{metrics['test/log_loss']:.4f}",
                    f"{metrics['test/calibration_error']:.2%}",
                    f"{metrics['test/macro_f1']:.4f}",
                ),
                RUNS.get(run, ""),
            )
            for run, metrics in ranked(measured)
        ],
    )


def mcnemar(pairs: Sequence[Pair], images: int) -> Table:
    """Return the paired comparisons over so many test images."""
    return Table(
        f"Run against run on the same {images:,} test images: McNemar's exact test. The difference is A's "
        f"error minus B's, in percentage points; significant means p < {SIGNIFICANT}",
        ("A", "B", "difference", "only A right", "only B right", "p", "in words"),
        [
            Row(
                f"`{pair.a}`",
                (
                    f"`{pair.b}`",
                    f"{100 * (pair.only_b_right - pair.only_a_right) / images:+.2f}",
                    str(pair.only_a_right),
                    str(pair.only_b_right),
                    f"{pair.p_value:.3g}",
                    verdict(pair.a, pair.b, pair),
                ),
            )
            for pair in pairs
        ],
        ("B", "in words"),
    )


def published(measured: Measured) -> Table:
    """Return published test errors, beside the runs here that are most like them."""
    return Table(
        "Published test error, beside the run here that is most like it",
        ("model", "published", "run here", "its error"),
        [
            Row(model, (error, f"`{run}`", f"{measured[run]['test/error']:.2%}"))
            for model, error, run in PUBLISHED
            if run in measured
        ],
        ("run here",),
    )


def gradients(found: Gradients) -> Table:
    """Return the worst relative error of every model and kind of check, with the verdict."""
    kinds = [kind for kind in (*CHECKS, *sorted(found.bounds.keys() - CHECKS)) if kind in found.bounds]
    return Table(
        "Hand-derived gradients: the worst relative error over all points and parameters, and whether it is "
        "within the bound of its check",
        (
            "model",
            *(f"{CHECKS.get(kind, kind)} (at most {found.bounds[kind]:.0e})" for kind in kinds),
            "verdict",
        ),
        [
            Row(
                f"`{model}`",
                (
                    *(f"{worst(checks[kind]):.1e}" for kind in kinds),
                    PASS if holds(checks, found.bounds) else FAIL,
                ),
            )
            for model, checks in found.worst_relative_errors.items()
        ],
        ("verdict",),
    )


def worst(errors: Mapping[str, float]) -> float:
    """Return the largest error; one that is no number is larger than any."""
    return max(errors.values(), key=lambda error: (error != error, error))


def holds(checks: Mapping[str, Mapping[str, float]], bounds: Mapping[str, float]) -> bool:
    """Say whether every error of a model is within its bound."""
    return all(worst(checks[kind]) <= bound for kind, bound in bounds.items())


def regression(found: Regression, tolerance: float) -> Table:
    """Return gradient descent's gap to the closed form at each ridge, after as many iterations."""
    iterations = found.digits.iterations
    return Table(
        f"Ridge regression on digits: the distance of the weights from the closed form, relative to its "
        f"size, after {iterations:,} iterations of gradient descent",
        ("ridge", "condition number", "distance", f"at most {tolerance:.0e}"),
        [
            Row(
                f"{each.ridge:g}",
                (f"{each.condition_number:,.1f}", f"{each.gap:.1e}", _reached(each.gap, tolerance)),
                "predicted" if each is found.digits else "weaker: how far it gets in as many",
            )
            for each in (found.digits, *found.digits.weaker)
        ],
    )


def _reached(gap: float, tolerance: float) -> str:
    return PASS if gap <= tolerance else "not reached"


def polynomial(found: Polynomial) -> Table:
    """Return the polynomial's coefficients by both ways."""
    fits = (found.coefficients.closed_form, found.coefficients.gradient_descent)
    # The highest power comes first, and the constant last.
    powers = range(len(fits[0]) - 1, -1, -1)
    return Table(
        f"A polynomial through points of y = x²: coefficients in closed form, and after {found.iterations:,} "
        f"iterations of gradient descent",
        ("coefficient of", "closed form", "gradient descent"),
        [Row(_power(power), (f"{a:.3g}", f"{b:.3g}")) for power, a, b in zip(powers, *fits, strict=True)],
    )


def _power(power: int) -> str:
    return ("constant", "x")[power] if power < 2 else "x" + str(power).translate(SUPERSCRIPTS)


def claims(found: Sequence[Claim], variant: str) -> Table:
    """Return what a variant of an exercise checks itself by."""
    return Table(
        f"Claims {variant}",
        ("claim", "found", "allowed"),
        [Row(claim.says, (claim.found, claim.allowed)) for claim in found],
    )
