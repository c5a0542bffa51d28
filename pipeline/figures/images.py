"""The pictures made of images and cells: weights, the worst mistakes, the confusion matrix.

Each value fills a whole number of the picture's own pixels, so it is sharp.
"""

import matplotlib as mpl
import numpy as np

from pipeline.figures.sheet import Sheet
from pipeline.figures.style import GREY, LIGHT
from pipeline.learning.arrays import Array

# Of a hidden layer's units only the largest: a few hundred would each be too small to see.
UNITS = 50
# Pixels of the picture: between images, and around all of them; on top stands the heading.
GAP = 8
LEFT, TOP, BOTTOM = 16, 62, 40
CELL = 37

Corners = list[tuple[int, int]]


def hidden_units(run: str, W1: Array, side: int, kept: Array | None = None) -> bytes:
    """Draw the incoming weights W1 (side², H) of the units with the largest, as images on one scale.

    `kept` are the weights at the end where W1 is of an earlier epoch: units and scale are theirs, so that
    pictures of several epochs can be laid over one another.
    """
    kept = W1 if kept is None else kept
    largest = np.argsort(-np.linalg.norm(kept.astype(np.float64), axis=0), kind="stable")[:UNITS]
    squares = np.square(W1, dtype=np.float64).sum(axis=0)
    share = squares[largest].sum() / squares.sum() if squares.any() else 0.0
    finding = f"{len(largest)} of {len(squares)} hidden units hold {share:.0%} of the squared weight"
    said = f"{run}: the largest first"
    scale = _scale(kept[:, largest])
    return _weights(W1[:, largest], side, finding, said, scale, columns=10, zoom=2)[0].png()


def class_weights(run: str, W: Array, side: int, kept: Array | None = None) -> bytes:
    """Draw the weights W (side², C) of a model without hidden layer, one image a class, on one scale.

    That of `kept`, the weights at the end, where W is of an earlier epoch.
    """
    finding = "Pixels that speak for each digit (red) and against it (blue)"
    scale = _scale(W if kept is None else kept)
    sheet, corners = _weights(W, side, finding, run, scale, columns=5, zoom=4, caption=16)
    for digit, (x, y) in enumerate(corners):
        sheet.write(x + 2 * side, y - 3, str(digit), "md", bold=True)
    return sheet.png()


def worst_mistakes(run: str, images: Array, true: Array, predicted: Array, probability: Array) -> bytes:
    """Draw images (K, S, S), 0 to 255, under the digit each is, the one predicted, and its probability."""
    if not len(images):
        return Sheet(500, TOP, "No mistake", run).png()
    finding = (
        f"Surest mistake: {true[0]} taken for {predicted[0]}, with probability {_percent(probability[0])}"
    )
    inked = _colored("gray_r", images / 255)
    said = f"{run}: true → predicted digit, and its probability"
    sheet, corners = _sheet(inked, finding, said, columns=5, zoom=3, caption=18)
    width = 3 * images.shape[-1]
    for (x, y), t, p, sure in zip(corners, true, predicted, probability, strict=True):
        sheet.write(x, y - 3, f"{t} → {p}", "ld", bold=True)
        sheet.write(x + width, y - 3, _percent(sure), "rd", size=8, color=GREY)
    return sheet.png()


def confusion(run: str, counts: Array) -> bytes:
    """Draw counts (C, C), true class by row; shaded by mistakes, since the right answers are far more."""
    classes = len(counts)
    mistakes = counts - np.diag(np.diag(counts))
    most = mistakes.max()
    true, taken = np.unravel_index(mistakes.argmax(), mistakes.shape)
    finding = f"Most frequent mistake: {true} taken for {taken}, {most} times" if most else "No mistake"
    shades = _colored("Blues", mistakes / max(most, 1))
    shades[np.eye(classes, dtype=bool)] = np.array(mpl.colors.to_rgb(LIGHT)) * 255
    left, size = 48, classes * CELL
    sheet = Sheet(left + size + LEFT, TOP + size + 45, finding, run)
    sheet.place(left, TOP, _enlarged(shades, CELL))
    for row, column in np.argwhere(counts):
        color = "white" if mistakes[row, column] > 0.6 * most else "black"
        x, y = left + (column + 0.5) * CELL, TOP + (row + 0.5) * CELL
        sheet.write(x, y, str(counts[row, column]), "mm", size=8, color=color)
    for digit in range(classes):
        middle = (digit + 0.5) * CELL
        sheet.write(left - 6, TOP + middle, str(digit), "rm")
        sheet.write(left + middle, TOP + size + 2, str(digit), "ma")
    sheet.write(left + size / 2, TOP + size + 20, "predicted digit", "ma")
    sheet.write_upwards(14, TOP + size // 2, "true digit")
    return sheet.png()


def _scale(W: Array) -> float:
    """Return the weight that has the strongest colour."""
    # A few weights at the border may be far larger than all others, which would then look like none.
    return float(np.quantile(np.abs(W.astype(np.float64)), 0.999)) or 1.0


def _weights(
    W: Array, side: int, finding: str, run: str, scale: float, *, columns: int, zoom: int, caption: int = 0
) -> tuple[Sheet, Corners]:
    """Draw each column of W (side², M) as an image: red above 0, blue below, with the scale of colours."""
    images = _colored("RdBu_r", (W.T.reshape(-1, side, side) / scale + 1) / 2)
    sheet, corners = _sheet(images, finding, run, columns=columns, zoom=zoom, caption=caption)
    y = sheet.height - 26
    sheet.place(80, y, np.tile(_colored("RdBu_r", np.linspace(0, 1, 150)), (10, 1, 1)))
    sheet.write(76, y + 5, f"−{scale:.2g}", "rm", size=8)
    sheet.write(234, y + 5, f"+{scale:.2g}  weight of a standardised pixel", "lm", size=8)
    return sheet, corners


def _colored(colors: str, shares: Array) -> Array:
    """Return uint8 (..., 3) for shares (...) of a colour map, 0 to 1; beyond it goes on as at its ends."""
    return mpl.colormaps[colors](np.clip(shares, 0, 1), bytes=True)[..., :3]


def _percent(probability: float) -> str:
    """Return a probability in percent; what would be rounded up to certainty is only nearly so."""
    return f"{probability:.1%}" if probability < 0.9995 else ">99.9%"


def _sheet(
    images: Array, finding: str, run: str, *, columns: int, zoom: int, caption: int
) -> tuple[Sheet, Corners]:
    """Draw images uint8 (K, S, S, 3) in rows, each pixel of them `zoom` of the picture's wide.

    There are `caption` pixels above each for a text. Returns each one's upper left corner, too.
    """
    size = images.shape[1] * zoom
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    across, down = size + GAP, caption + size + GAP
    width, height = 2 * LEFT + columns * across - GAP, TOP + rows * down - GAP + BOTTOM
    sheet = Sheet(width, height, finding, run)
    corners = [
        (LEFT + place % columns * across, TOP + place // columns * down + caption)
        for place in range(len(images))
    ]
    for image, (x, y) in zip(_enlarged(images, zoom), corners, strict=True):
        sheet.place(x, y, image)
    return sheet, corners


def _enlarged(images: Array, zoom: int) -> Array:
    """Return uint8 (..., h·zoom, w·zoom, 3) for images (..., h, w, 3): a square for each pixel."""
    return images.repeat(zoom, axis=-3).repeat(zoom, axis=-2)
