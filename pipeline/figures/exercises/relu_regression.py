"""The ReLU regression: three ways that descend alike, and how near each factor of the chain rule is."""

import numpy as np
from matplotlib.figure import Figure

from pipeline.exercises.outcome import Outcome
from pipeline.figures.style import BLUE, GREY, ORANGE, canvas, panel, picture

ROUNDING = float(np.finfo(np.float64).eps)


@picture
def draw(asked: Outcome, answered: Outcome) -> Figure:
    """Draw the losses by hand and by torch, how far they part, and each gradient against autograd's."""
    worst = asked.results["worst_relative_difference"]
    figure = canvas(
        10.2,
        3.4,
        f"By hand and by autograd the whole path is the same, to {worst:.0e}",
        "exercise relu_regression, float64",
    )
    curves, apart, factors = (
        panel(figure, left, 0.5, width, 2.2) for left, width in ((0.7, 2.4), (4.0, 2.4), (7.6, 2.4))
    )
    ours, theirs = (np.array([row["loss"] for row in each.trace]) for each in (asked, answered))
    iterations = [row["iteration"] for row in asked.trace]
    curves.plot(iterations, ours, color=BLUE, linewidth=3, label="derived by hand")
    curves.plot(iterations, theirs, color=ORANGE, linestyle="--", label="autograd, torch.optim.SGD")
    curves.set(xlabel="iteration", ylabel="loss (sum of squares)", yscale="log")
    curves.legend()
    difference = np.maximum(np.abs(ours / theirs - 1), ROUNDING)
    apart.plot(iterations, difference, color=BLUE, linewidth=1)
    apart.axhline(ROUNDING, color=GREY, linestyle=":", linewidth=0.9)
    apart.set(xlabel="iteration", ylabel="relative difference of the losses", yscale="log")
    found = asked.results["intermediates"]
    places = range(len(found))
    factors.barh(
        places, [max(each["difference"], ROUNDING) for each in found.values()], color=BLUE, height=0.5
    )
    factors.set_yticks(places, list(found))
    factors.set(xlabel="relative difference from autograd's", xscale="log", xlim=(1e-17, 1e-11))
    factors.axvline(1e-12, color=ORANGE, linestyle=":")
    factors.text(1.3e-12, 4.35, "allowed", color=ORANGE, size=8, ha="left")
    factors.invert_yaxis()
    for axes in (curves, apart):
        axes.grid(axis="y")
    return figure
