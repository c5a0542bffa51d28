"""The spiral: what each classifier decides, and what the sum and the mean do to training."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pipeline.exercises.outcome import Outcome
from pipeline.figures.style import BLUE, GREEN, GREY, ORANGE, canvas, panel, picture
from pipeline.learning.arrays import Array, Params
from pipeline.learning.models import softmax, two_layer

# Points of the plane at which the decision is drawn, along each axis.
GRID = 200
REACH = 1.15
ARMS = (BLUE, ORANGE, GREEN)
SHADES = ListedColormap(["#BBD6E8", "#F3CDB6", "#B9DFD1"])
PREFIX = "network."


@picture
def draw(asked: Outcome, answered: Outcome) -> Figure:
    """Draw both classifiers' regions, and the losses by batch size with the mean and with the sum."""
    network = {
        name.removeprefix(PREFIX): value for name, value in asked.weights.items() if name.startswith(PREFIX)
    }
    figure = canvas(
        11.6,
        3.5,
        "Dividing by N keeps the step the same for every batch size; a sum multiplies it",
        "exercise spiral: both variants give the same picture",
    )
    linear, hidden = (panel(figure, left, 0.5, 2.3, 2.3) for left in (0.6, 3.4))
    _regions(linear, asked, lambda X: softmax.scores(asked.weights, X))
    _regions(hidden, asked, lambda X: two_layer.scores(network, X))
    linear.set_title(f"linear: {asked.results['accuracy']:.0%} right", size=9)
    hidden.set_title(
        f"{network['W1'].shape[1]} hidden units: {asked.results['network']['accuracy']:.0%} right", size=9
    )
    mean, total = (panel(figure, left, 0.5, 2.1, 2.3) for left in (6.45, 9.25))
    for axes, reduction in ((mean, "mean"), (total, "sum")):
        _curves(axes, asked, reduction)
        axes.set_title(f"gradient of the {reduction}", size=9)
    mean.legend(loc="upper right")
    total.set_yscale("log")
    return figure


def _regions(axes: Axes, outcome: Outcome, scores: Callable[[Array], Params]) -> None:
    line = np.linspace(-REACH, REACH, GRID)
    plane = np.column_stack([axis.ravel() for axis in np.meshgrid(line, line)])  # (GRID², 2)
    decided = np.asarray(scores(plane)).argmax(axis=1).reshape(GRID, GRID)
    axes.imshow(decided, origin="lower", extent=(-REACH, REACH, -REACH, REACH), cmap=SHADES, vmin=0, vmax=2)
    for arm, color in enumerate(ARMS):
        points = outcome.X[outcome.y == arm]
        axes.plot(points[:, 0], points[:, 1], color=color, marker="o", markersize=2, linestyle="")
    axes.set(xlabel="x₁", ylabel="x₂", xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def _curves(axes: Axes, outcome: Outcome, reduction: str) -> None:
    names = [name for name in outcome.results if name.endswith(f"_{reduction}") and name.startswith("batch_")]
    for name, color in zip(names, (GREY, ORANGE, BLUE), strict=True):
        trace = outcome.results[name]["trace"]
        axes.plot(
            [row["iteration"] for row in trace],
            [row["loss"] for row in trace],
            color=color,
            linewidth=1.1,
            label=f"batches of {name.split('_')[1]}",
        )
    axes.set(xlabel="iteration", ylabel="loss of all samples (nats)")
    axes.grid(axis="y")
