"""The parabola: both sides of the largest stable learning rate, and what was fitted."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.exercises.outcome import Outcome, Trace
from pipeline.figures.style import BLUE, GREY, LIGHT, ORANGE, canvas, panel, picture

# What rounding leaves of a loss of 0; below, there is nothing to see.
SMALLEST = 1e-32


@picture
def draw(asked: Outcome, answered: Outcome) -> Figure:
    """Draw the loss 1% below and above the limit, the factor by which an error grows, and the fit."""
    limit = asked.results["max_learning_rate"]
    figure = canvas(
        11.2,
        3.5,
        f"On the raw features, any learning rate beyond {limit:.4f} diverges",
        "exercise quadratic: y = x² by gradient descent",
    )
    raw, standard, stability, fit = (
        panel(figure, left, 0.5, width, 2.3)
        for left, width in ((0.65, 2.0), (3.4, 2.0), (6.1, 2.0), (8.85, 2.1))
    )
    _sides(raw, asked, {"below_limit": "1% below", "above_limit": "1% above"})
    raw.set_title("raw features", size=9)
    _sides(
        standard,
        asked,
        {"standardised_above_limit": "1% above", "standardised_perturbed": "perturbed start"},
    )
    standard.set_title("standardised: only rounding grows", size=9)
    _stability(stability, asked, answered)
    _fit(fit, answered)
    return figure


def _sides(axes: Axes, outcome: Outcome, shown: dict[str, str]) -> None:
    for (name, label), color in zip(shown.items(), (BLUE, ORANGE), strict=True):
        axes.plot(*_curve(outcome.results[name]["trace"]), color=color, label=label)
    axes.set(xlabel="iteration", ylabel="loss (mean square)", yscale="log")
    axes.legend(loc="best")
    axes.grid(axis="y")


def _curve(trace: Trace) -> tuple[list[int], list[float]]:
    shown = [row for row in trace if row["loss"] > SMALLEST]
    return [row["iteration"] for row in shown], [row["loss"] for row in shown]


def _stability(axes: Axes, asked: Outcome, answered: Outcome) -> None:
    """Draw |1 - ηλmax| by the rate as a share of the limit: above 1 lies what diverges."""
    share = np.linspace(0, 2.6, 200)
    axes.axvspan(1, share[-1], color=LIGHT)
    axes.plot(share, np.abs(1 - 2 * share), color=GREY)
    for outcome, name, color in ((asked, "raw", ORANGE), (answered, "standardised", BLUE)):
        rate = outcome.results["learning_rate"]
        at = rate / outcome.results["max_learning_rate"]
        label = f"{name}, {rate:g}"
        axes.plot(at, abs(1 - 2 * at), color=color, marker="o", linestyle="", label=label)
    axes.text(1.08, 0.12, "diverges", color=GREY, size=8)
    axes.set(xlabel="learning rate / (2/λmax)", ylabel="growth of the error an iteration")
    axes.set_title("the top eigenvector's error", size=9)
    axes.legend(loc="upper left")


def _fit(axes: Axes, answered: Outcome) -> None:
    x, y = answered.X, answered.y
    fine = np.linspace(x[0], x[-1], 100)
    after = answered.results["coefficients_after_iterations"]
    axes.plot(fine, np.polyval(answered.results["coefficients"], fine), color=BLUE, label="at the end")
    axes.plot(fine, np.polyval(after, fine), color=ORANGE, label=f"after {len(answered.trace)} iterations")
    axes.plot(x, y, color="black", marker="o", markersize=4, linestyle="", label="data")
    axes.set(xlabel="x", ylabel="y")
    axes.set_title("as answered", size=9)
    axes.legend(loc="upper left")
