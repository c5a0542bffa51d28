"""Digits by conjugate gradient: the cost as SciPy saw it, a step's promise and its effect, some digits."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.exercises.outcome import Outcome, Trace
from pipeline.figures.style import BLUE, GREY, ORANGE, canvas, panel, picture
from pipeline.learning.models import sigmoid_network

ROWS, COLUMNS = 3, 4
# From row to row of digits, in widths of a digit and the gap beside it: what is said of it fits between.
PITCH = 1.25


@picture
def draw(asked: Outcome, answered: Outcome) -> Figure:
    """Draw the costs by evaluation, what a step changes against what g·δ predicts, and some digits."""
    results = answered.results
    figure = canvas(
        10.6,
        3.6,
        "A cost that ignores θ can't be minimised; wrong weights at the start cost some accuracy besides",
        f"exercise digits_cg: training accuracy {asked.results['training_accuracy']:.1%} as asked, "
        f"{results['cost_fixed_alone']['training_accuracy']:.1%} with the cost fixed alone, "
        f"{results['training_accuracy']:.1%} as answered",
    )
    costs, steps = (panel(figure, left, 0.5, 3.0, 2.25) for left in (0.6, 4.4))
    for trace, color, style, label in (
        (asked.trace, ORANGE, "-", "as asked"),
        (results["draw_fixed_alone"]["trace"], ORANGE, "--", "draw fixed alone"),
        (results["cost_fixed_alone"]["trace"], GREY, "-", "cost fixed alone"),
        (answered.trace, BLUE, "-", "as answered"),
    ):
        _costs(costs, trace, color, style, label)
    costs.set(xlabel="evaluation of the cost", ylabel="cost (nats per digit)", yscale="log")
    costs.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"], minor=False)
    costs.set_yticks([], minor=True)
    costs.set_xlim(0, 1.6 * max(len(answered.trace), len(results["cost_fixed_alone"]["trace"])))
    costs.grid(axis="y")
    _steps(steps, asked, answered)
    _digits(panel(figure, 7.7, 0.1, 2.8, 2.65), asked, answered)
    return figure


def _costs(axes: Axes, trace: Trace, color: str, style: str, label: str) -> None:
    evaluations, losses = ([row[key] for row in trace] for key in ("iteration", "loss"))
    axes.plot(evaluations, losses, color=color, linestyle=style)
    axes.annotate(
        label,
        (evaluations[-1], losses[-1]),
        (4, 0),
        textcoords="offset points",
        va="center",
        color=color,
        size=8,
    )


def _steps(axes: Axes, asked: Outcome, answered: Outcome) -> None:
    for outcome, color, marker, label in (
        (asked, ORANGE, "s", "as asked"),
        (answered, BLUE, "o", "as answered"),
    ):
        predicted, found = (
            [1e6 * row[key] for row in outcome.results["directional_check"]] for key in ("predicted", "found")
        )
        axes.plot(predicted, found, color=color, marker=marker, markersize=5, linestyle="", label=label)
    limit = 1.1 * max(np.abs(axes.get_xlim()).max(), np.abs(axes.get_ylim()).max())
    axes.plot(
        [-limit, limit], [-limit, limit], color=GREY, linewidth=0.9, linestyle=":", label="a right gradient"
    )
    axes.set(
        xlim=(-limit, limit),
        ylim=(-limit, limit),
        xlabel="g·δ, what the gradient predicts (10⁻⁶ nats)",
        ylabel="J(θ+δ) - J(θ), found (10⁻⁶ nats)",
    )
    axes.legend(loc="upper left")
    axes.grid()


def _digits(axes: Axes, asked: Outcome, answered: Outcome) -> None:
    """Draw the first digits, each with what the two networks take it for."""
    side = int(np.sqrt(answered.X.shape[1]))
    for place, pixels in enumerate(answered.X[: ROWS * COLUMNS]):
        row, column = divmod(place, COLUMNS)
        axes.imshow(
            pixels.reshape(side, side),
            cmap="gray_r",
            extent=(column, column + 0.85, -PITCH * row - 0.85, -PITCH * row),
        )
        for outcome, color, left in ((asked, ORANGE, 0.22), (answered, BLUE, 0.63)):
            said = sigmoid_network.scores(outcome.weights, pixels[None]).argmax()
            axes.text(
                column + left, -PITCH * row - 0.88, str(said), color=color, ha="center", va="top", size=8.5
            )
    axes.set(xlim=(-0.1, COLUMNS), ylim=(-PITCH * ROWS, 0.1))
    axes.set_title("what each takes the digit for", size=9)
    axes.set_axis_off()
