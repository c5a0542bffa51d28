"""The pictures of a trained classifier's results. Each heading states what the picture shows."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pipeline.figures.style import BLUE, GREY, ORANGE, canvas, panel, picture
from pipeline.learning.evaluation import Reliability, wilson

Row = Mapping[str, float]
# More epochs than this, and their markers would run into one another.
MARKED = 30


@picture
def learning_curves(run: str, history: Sequence[Row], best_epoch: int) -> Figure:
    """Draw loss and error of training and validation by epoch; the epoch that was kept is marked."""
    epochs = [row["epoch"] for row in history]
    best = next(row for row in history if row["epoch"] == best_epoch)["validation/accuracy"]
    figure = canvas(7.2, 3.1, f"Best validation accuracy {best:.2%} at epoch {best_epoch}", run)
    loss, error = (panel(figure, left, 0.5, 2.9, 1.95) for left in (0.6, 4.15))
    for split, color in (("train", BLUE), ("validation", ORANGE)):
        losses = [row[f"{split}/loss"] for row in history]
        errors = [100 * (1 - row[f"{split}/accuracy"]) for row in history]
        for axes, values in ((loss, losses), (error, errors)):
            axes.plot(
                epochs, values, color=color, marker="o" if len(epochs) <= MARKED else "", markersize=3.5
            )
    for axes, name in ((loss, "mean loss per image (nats)"), (error, "error (% of images)")):
        axes.legend(["training", "validation"])
        axes.axvline(best_epoch, color=GREY, linewidth=0.9, linestyle=":")
        axes.set(xlabel="epoch", ylabel=name, xticks=_whole(epochs))
        axes.grid(axis="y")
    return figure


def _whole(epochs: Sequence[float]) -> list[int]:
    """Return every epoch, or of many each fifth, tenth, ...: at most 15 ticks."""
    last = int(epochs[-1])
    step = next(step for step in (1, 2, 5, 10, 50, 100, 500, 1000) if last <= 15 * step)
    return [epoch for epoch in range(int(epochs[0]), last + 1) if epoch % step == 0 or step == 1]


@picture
def reliability(run: str, bins: Reliability) -> Figure:
    """Draw accuracy against confidence with 95% intervals; on the diagonal they agree."""
    filled = bins.samples > 0
    samples, confidence, accuracy = bins.samples[filled], bins.confidence[filled], bins.accuracy[filled]
    overall = np.average(accuracy, weights=samples)
    finding = f"Calibration error {100 * bins.calibration_error:.2f} points"
    said = f"{run}: {bins.mean_confidence:.2%} confident, {overall:.2%} right"
    figure = canvas(4.4, 4.6, finding, said)
    diagram, histogram = panel(figure, 0.6, 1.45, 3.6, 2.55), panel(figure, 0.6, 0.5, 3.6, 0.75)
    low, high = np.transpose([wilson(round(a * n), n) for a, n in zip(accuracy, samples, strict=True)])
    diagram.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=":")
    # A bound may miss the share by rounding where the share is 0 or 1.
    reach = np.maximum((accuracy - low, high - accuracy), 0)
    diagram.errorbar(confidence, accuracy, reach, color=BLUE, marker="o", markersize=4, elinewidth=0.9)
    diagram.set(ylabel="accuracy (share right)", xlim=(0, 1), ylim=(0, 1.02), xticks=[])
    edges = np.linspace(0, 1, len(bins.samples) + 1)
    share = 100 * bins.samples / bins.samples.sum()
    histogram.stairs(share, edges, fill=True, color=BLUE)
    histogram.set(xlabel="confidence (probability of the predicted digit)", ylabel="images (%)", xlim=(0, 1))
    for axes in (diagram, histogram):
        axes.grid(axis="y")
    return figure


@picture
def comparison(errors: Mapping[str, tuple[float, float, float]]) -> Figure:
    """Draw every run's test error with its 95% interval, from (error, low, high) by run."""
    ranked = sorted(errors.items(), key=lambda item: (item[1][0], item[0]))
    centre, low, high = 100 * np.transpose([interval for _, interval in ranked])
    finding = f"Lowest test error: {ranked[0][0]}, {centre[0]:.2f}%"
    said = "with 95% intervals (Wilson); orange: scikit-learn's"
    figure = canvas(6.6, 1.15 + 0.27 * len(ranked), finding, said)
    axes = panel(figure, 2.2, 0.5, 4.2, 0.27 * len(ranked))
    for place, (run, _) in enumerate(ranked):
        color = ORANGE if run.startswith("baseline-") else BLUE
        axes.plot([low[place], high[place]], [place, place], color=color, linewidth=2.2)
        axes.plot(centre[place], place, color=color, marker="o", markersize=5)
        axes.text(high[place] + 0.015 * high.max(), place, f"{centre[place]:.2f}%", va="center", size=8)
    axes.set(xlabel="test error (% of images)", xlim=(0, 1.12 * high.max()), ylim=(len(ranked) - 0.5, -0.5))
    axes.set_yticks(range(len(ranked)), [run for run, _ in ranked])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure
