"""The softmax loss: its gradient by the scores, how far loops and products agree, and the limit ln C."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.exercises.outcome import Outcome
from pipeline.figures.style import BLUE, GREY, ORANGE, canvas, panel, picture

# Equal to the bit: a difference of 0, which a logarithmic axis has no place for, is drawn as this.
SMALLEST = 1e-17


@picture
def draw(asked: Outcome, answered: Outcome) -> Figure:
    """Draw one sample's p - onehot(y), loops against matrix products, and the loss by the weights' size."""
    figure = canvas(
        10.2,
        3.5,
        "A score's gradient is its probability, minus 1 for the label; with or without loops, it is the same",
        "exercise softmax_loops: both variants give the same picture",
    )
    sample, agreement, scale = (panel(figure, left, 0.55, 2.55, 2.2) for left in (0.75, 4.15, 7.45))
    _sample(sample, answered)
    _agreement(agreement, answered)
    _scale(scale, answered)
    return figure


def _sample(axes: Axes, outcome: Outcome) -> None:
    found = outcome.results["sample"]
    dscores, label = found["dscores"], found["label"]
    classes = np.arange(len(dscores))
    others = classes != label
    axes.bar(classes[others], np.asarray(dscores)[others], color=BLUE, label="p of any other class")
    axes.bar([label], [dscores[label]], color=ORANGE, label="p - 1 of the label")
    axes.plot(
        classes,
        found["differences"],
        color="black",
        marker="_",
        markersize=7,
        linestyle="",
        label="central differences",
    )
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="class j", ylabel="dL/ds (nats per unit of score)", ylim=(-1.05, 1.05))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("one sample: how its loss moves with each score", size=9)
    axes.legend(loc="upper right")


def _agreement(axes: Axes, outcome: Outcome) -> None:
    for layout, color, marker in (("columns", BLUE, "o"), ("rows", ORANGE, "x")):
        found = np.maximum(outcome.results["differences"][layout], SMALLEST)
        axes.plot(found, color=color, marker=marker, linestyle="", label=f"samples in {layout}")
    allowed = outcome.results["allowed_difference"]
    axes.axhline(allowed, color=GREY, linestyle="--", linewidth=1)
    axes.annotate("allowed", (0, allowed), (0, 3), textcoords="offset points", color=GREY, size=8)
    axes.set(xlabel="draw of W", ylabel="relative difference", yscale="log", ylim=(SMALLEST, 100 * allowed))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.15)
    axes.set_title("loops against matrix products", size=9)
    axes.legend(loc="lower right")
    axes.grid(axis="y")


def _scale(axes: Axes, outcome: Outcome) -> None:
    found, limit = outcome.results["loss_by_std"], outcome.results["ln_C"]
    axes.axhline(limit, color=GREY, linestyle="--", linewidth=1)
    axes.annotate(
        f"ln C = {limit:.4f}", (found["std"][-1], limit), (0, -11), textcoords="offset points", color=GREY,
        size=8, ha="right",
    )  # fmt: skip
    axes.plot(found["std"], found["loss"], color=BLUE)
    axes.set(
        xlabel="standard deviation of the weights",
        ylabel="loss without penalty (nats)",
        xscale="log",
        yscale="log",
        ylim=(limit / 1.8, None),
    )
    axes.set_title("small weights: every class is as likely", size=9)
    axes.grid(axis="y")
