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
    """Draw the loss 1% below and above the limit, the factor of an error by the rate, and the fit."""
    limit = asked.results["max_learning_rate"]
    figure = canvas(
        11.6,
        3.5,
        f"Beyond 2/λmax descent diverges: on the raw features, at any learning rate above {limit:.2g}",
        "exercise quadratic: y = x² by gradient descent, raw as asked and standardised as answered",
    )
    unperturbed = asked.results["standardised_above_limit"]["trace"]
    panels = (panel(figure, left, 0.5, 2.1, 2.2) for left in (0.65, 3.55, 6.45, 9.35))
    on_raw, on_standardised, of_rates, of_fits = panels
    _curves(on_raw, asked, {"below_limit": "1% below the limit", "above_limit": "1% above"})
    on_raw.set_title("raw features", size=9)
    names = {
        "standardised_above_limit": "1% above the limit",
        "standardised_perturbed": "from a perturbed start",
    }
    _curves(on_standardised, asked, names)
    on_standardised.set_title("standardised: only rounding grows", size=9)
    # The legend stands over the curves.
    on_standardised.set_ylim(top=1e10 * max(row["loss"] for row in unperturbed))
    _factors(of_rates, asked, answered)
    _fits(of_fits, asked, answered)
    return figure


def _curves(axes: Axes, outcome: Outcome, names: dict[str, str]) -> None:
    for (name, label), color in zip(names.items(), (BLUE, ORANGE), strict=True):
        axes.plot(*_visible(outcome.results[name]["trace"]), color=color, label=label)
    axes.set(xlabel="iteration", ylabel="loss (mean squared error)", yscale="log")
    axes.legend(loc="upper left")
    axes.grid(axis="y")


def _visible(trace: Trace) -> tuple[list[int], list[float]]:
    shown = [row for row in trace if row["loss"] > SMALLEST]
    return [row["iteration"] for row in shown], [row["loss"] for row in shown]


def _factors(axes: Axes, asked: Outcome, answered: Outcome) -> None:
    """Draw |1 - ηλmax| by the rate's share of the limit: above 1 lies what diverges."""
    rates = {"raw": (asked, ORANGE), "standardised": (answered, BLUE)}
    shares = {
        name: outcome.results["learning_rate"] / outcome.results["max_learning_rate"]
        for name, (outcome, _) in rates.items()
    }
    line = np.linspace(0, max(2.5, 1.2 * max(shares.values())), 201)
    axes.axvspan(1, line[-1], color=LIGHT)
    axes.plot(line, np.abs(1 - 2 * line), color=GREY)
    for name, (outcome, color) in rates.items():
        label = f"{name}, rate {outcome.results['learning_rate']:g}"
        factor = abs(1 - 2 * shares[name])
        axes.plot(shares[name], factor, color=color, marker="o", linestyle="", label=label)
    axes.text(0.97, 0.04, "diverges", color=GREY, size=8, ha="right", transform=axes.transAxes)
    axes.set(xlabel="learning rate / (2/λmax)", ylabel="factor an iteration, |1 - ηλmax|")
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])  # for the legend
    axes.set_title("error along the top eigenvector", size=9)
    axes.legend(loc="upper left")


def _fits(axes: Axes, asked: Outcome, answered: Outcome) -> None:
    x, y, results = answered.X, answered.y, answered.results
    fine = np.linspace(x[0], x[-1], 100)
    curves = [
        (asked.trace[0]["weights"][::-1], ORANGE, "-", "asked, after 1 iteration"),
        (results["coefficients_after_iterations"], BLUE, "--", f"answered, after {len(answered.trace)}"),
        (results["coefficients"], BLUE, "-", "answered, at the end"),
    ]
    for coefficients, color, style, label in curves:
        if coefficients is not None:
            axes.plot(fine, np.polyval(coefficients, fine), color=color, linestyle=style, label=label)
    axes.plot(x, y, color="black", marker="o", markersize=4, linestyle="", label="y = x²")
    axes.set(xlabel="x", ylabel="y")
    axes.set_title("the fit in raw units", size=9)
    axes.legend(loc="upper left")
