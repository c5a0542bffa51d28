"""The two-layer network: dW2 as a sum of outer products, the wrong orders, and the toy training run."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.exercises.outcome import Outcome
from pipeline.figures.style import BLUE, GREY, ORANGE, canvas, panel, picture


@picture
def draw(asked: Outcome, answered: Outcome) -> Figure:
    """Draw each sample's outer product and their sum, how wrong each wrong order is, and the toy run."""
    figure = canvas(
        11.6,
        3.5,
        "dW2 is the sum of the samples' outer products, a1ᵀ·dscores; no other order of the two gives it",
        "exercise two_layer: red is positive, blue negative, all on one scale",
    )
    _outer_products(figure, asked)
    _orders(panel(figure, 6.5, 0.5, 1.7, 2.3), asked)
    _losses(panel(figure, 9.1, 0.5, 2.3, 2.3), asked, answered)
    return figure


def _outer_products(figure: Figure, outcome: Outcome) -> None:
    products = np.array(outcome.results["outer_products"])  # (samples, H, C)
    total = np.array(outcome.results["sum_of_outer_products"])  # (H, C)
    largest = max(float(np.abs(products).max()), float(np.abs(total).max()))
    shown = [*((f"sample {index}", each) for index, each in enumerate(products)), ("their sum", total)]
    for place, (name, matrix) in enumerate(shown):
        axes = panel(figure, 0.5 + 0.75 * place + (0.15 if name == "their sum" else 0), 0.5, 0.58, 2.3)
        axes.imshow(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
        axes.set_title(name, size=8)
        axes.set(xticks=range(matrix.shape[1]), yticks=[])
        if place == 0:
            axes.set(ylabel="hidden unit", xlabel="class", yticks=range(0, matrix.shape[0], 3))


def _orders(axes: Axes, outcome: Outcome) -> None:
    """Draw the relative error of each product where N = H = C, so that every one has the right shape.

    That of the right one is its rounding, at worst in the toy run.
    """
    orders = outcome.results["wrong_orders"]["all_equal"]
    right = outcome.results["outer_product_difference"]
    axes.barh(0, right, color=BLUE, height=0.6)
    axes.barh(range(1, len(orders) + 1), [each["difference"] for each in orders], color=ORANGE, height=0.6)
    axes.set_yticks(range(len(orders) + 1), ["a1.T @ dscores", *(each["order"] for each in orders)])
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="relative difference from dW2", xscale="log", xlim=(1e-17, 10))
    axes.axvline(1, color=GREY, linestyle=":", linewidth=0.9)
    axes.set_title("all eight, where N = H = C", size=9)
    axes.invert_yaxis()


def _losses(axes: Axes, asked: Outcome, answered: Outcome) -> None:
    iterations = [row["iteration"] for row in asked.trace]
    axes.plot(iterations, [row["loss"] for row in asked.trace], color=BLUE, linewidth=3)
    axes.plot(iterations, [row["loss"] for row in answered.trace], color=ORANGE, linestyle="--")
    axes.legend(["dW2 = a1ᵀ·dscores", "sum of outer products"])
    axes.set(xlabel="iteration", ylabel="loss of the minibatch (nats)", yscale="log")
    axes.set_title("toy training run", size=9)
    axes.grid(axis="y")
