"""The pictures of a trained classifier. Each title states what the picture shows."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.figures.style import BLUE, GREEN, GREY, ORANGE, figure
from pipeline.learning.arrays import Array
from pipeline.learning.evaluation import Reliability

Row = Mapping[str, float]


def learning_curves(run: str, history: Sequence[Row]) -> Figure:
    """Draw training and validation error an epoch; the epoch that was kept is marked."""
    epochs = [row["epoch"] for row in history]
    training, validation = (
        [1 - row[f"{split}/accuracy"] for row in history] for split in ("train", "validation")
    )
    best = int(np.argmin(validation))
    made, axes = figure()
    axes.plot(epochs, training, color=BLUE, marker="o", markersize=3, label="training")
    axes.plot(epochs, validation, color=ORANGE, marker="s", markersize=3, label="validation")
    axes.axvline(epochs[best], color=GREY, linestyle=":")
    axes.set(
        title=f"{run}: validation error lowest, {validation[best]:.2%}, at epoch {epochs[best]:.0f}",
        xlabel="epoch",
        ylabel="error rate",
        ylim=(0, None),
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(frameon=False)
    return made


def confusion(run: str, counts: Array) -> Figure:
    """Draw the mistakes counts (C, C), true class by row; the right answers, far more, are left out."""
    mistakes = counts - np.diag(np.diag(counts))
    true, taken = np.unravel_index(mistakes.argmax(), mistakes.shape)
    made, axes = figure(4.6, 4.4)
    axes.imshow(mistakes, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        dark = mistakes[row, column] > mistakes.max() / 2
        colour = GREY if row == column else ("white" if dark else "black")
        axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
    axes.set(
        title=f"{run}: most often, {mistakes.max()} times, a {true} is taken for a {taken}",
        xlabel="predicted digit",
        ylabel="true digit",
        xticks=range(len(counts)),
        yticks=range(len(counts)),
    )
    axes.title.set_fontsize(9)
    return made


def first_layer(run: str, W: Array, side: int, columns: int = 10, most: int = 50) -> Figure:
    """Draw the first-layer weights W (side², M) as images, the largest ones; red adds, blue takes."""
    strongest = np.sort(np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:most])
    tiles = _tiled(W[:, strongest].T.reshape(-1, side, side), columns)
    largest = np.quantile(np.abs(W[:, strongest]), 0.999)
    made, axes = figure(5.0, 0.4 + 5.0 * tiles.shape[0] / tiles.shape[1])
    axes.imshow(tiles, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"{run}: first-layer weights, {len(strongest)} of {W.shape[1]} units, ±{largest:.2g}")
    return made


def worst_mistakes(
    run: str, images: Array, true: Array, predicted: Array, confidence: Array, columns: int = 5
) -> Figure:
    """Draw images (K, S, S) taken with the most confidence for another digit, with both digits."""
    side = images.shape[-1]
    caption = 9  # pixels of room above each image
    tiles = _tiled(np.pad(images, ((0, 0), (caption, 0), (0, 0))), columns)
    made, axes = figure(5.0, 0.4 + 5.0 * tiles.shape[0] / max(tiles.shape[1], 1))
    axes.imshow(tiles, cmap="gray_r", vmin=0, vmax=255)
    for place, (t, p, c) in enumerate(zip(true, predicted, confidence, strict=True)):
        row, column = divmod(place, columns)
        x, y = column * (side + 1) + side / 2, row * (side + caption + 1) + caption - 1
        axes.text(x, y, f"{t}, taken for {p} ({c:.1%})", ha="center", va="bottom", fontsize=6.5)
    axes.set_axis_off()
    axes.set_title(f"{run}: the {len(images)} mistakes it was surest of")
    return made


def reliability(run: str, bins: Reliability) -> Figure:
    """Draw accuracy against confidence; on the diagonal a classifier is right as often as it says."""
    filled = bins.count > 0
    made, axes = figure(4.2, 3.8)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    axes.plot(bins.confidence[filled], bins.accuracy[filled], color=GREEN, marker="o", markersize=4)
    axes.set(
        title=f"{run}: calibration error {bins.calibration_error:.2%}",
        xlabel="confidence, the probability of the digit chosen",
        ylabel="share that is right",
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    return made


def comparison(errors: dict[str, tuple[float, float, float]]) -> Figure:
    """Draw every run's test error with its 95% interval, from (error, low, high) by run."""
    ranked = sorted(errors.items(), key=lambda item: item[1], reverse=True)
    centre = np.array([error for _, (error, _, _) in ranked])
    low, high = (np.array([interval[i] for _, interval in ranked]) for i in (1, 2))
    made, axes = figure(6.0, 0.8 + 0.3 * len(ranked))
    axes.errorbar(
        centre,
        range(len(ranked)),
        xerr=(centre - low, high - centre),
        fmt="o",
        color=BLUE,
        capsize=3,
        markersize=4,
    )
    best_run, best = ranked[-1][0], centre[-1]
    axes.set(title=f"{best_run} is best: {best:.2%} test error", xlabel="test error, with 95% interval")
    axes.set_yticks(range(len(ranked)), [run for run, _ in ranked])
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlim(0, None)
    return made


def _tiled(images: Array, columns: int) -> Array:
    """Lay images (K, h, w) out in rows, one pixel apart: one picture draws faster than K."""
    rows = -(-len(images) // columns)
    filled = np.zeros((rows * columns, images.shape[1] + 1, images.shape[2] + 1))
    filled[: len(images), :-1, :-1] = images
    h, w = filled.shape[1:]
    return filled.reshape(rows, columns, h, w).swapaxes(1, 2).reshape(rows * h, columns * w)[:-1, :-1]
