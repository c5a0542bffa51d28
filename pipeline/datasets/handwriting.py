"""Any picture of one digit, made into what MNIST's are: light ink on black, 28×28, centred by its mass.

As there, the ink's bounding box is scaled to fit 20×20 with its proportions kept and its edges smooth, and
placed so that the centre of its mass is in the centre. Before that come what a scanner took care of: which
side is the ink, paper that is lit unevenly, noise, specks. The digit must be alone in the picture, and a
sharp shadow across the paper counts as ink.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Floats = NDArray[np.float32]

SIDE, BOX = 28, 20
# MNIST's centre of mass is pixel 14 of 0 to 27, to half a pixel: its test images have 14.0 on average.
CENTRE = 14

# Pixels along the longer side: what a picture is looked at with, its ground, and its digit.
LARGEST, GLANCE, FINE = 512, 48, 80
# Grey levels. A border of which half is as even as this lies on a flat ground, whatever else is on it.
EVEN = 6.0
# A darker ground is taken for this dark, or its noise would be divided by next to nothing.
DARKEST = 32.0
# Shares of the way from ground to black (or to white). Nothing is drawn where the ink is fainter ...
FAINTEST = 0.1
# ... and a digit reaches as far as its ink is this strong, which is where MNIST's boxes end.
EDGE = 0.2
# A spot is part of the digit if its area is this share of the largest's.
SPECK = 0.03
# A stroke's soft edge reaches so far, as a share of the picture's longer side.
NEAR = 0.02
# Pixels of the box of 20. A fine pen leaves less, which shrinks to a grey that no MNIST digit has.
NARROWEST = 2.0


# Pixels that touch, also at a corner.
TOUCHING = np.ones((3, 3), np.bool_)


class NothingDrawnError(ValueError):
    """There is no ink in the picture."""


def as_mnist(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the digit in a grey picture (height, width), dark on light or light on dark, as (28, 28) uint8.

    Raises NothingDrawnError where nothing stands out from the ground.
    """
    return centred(separated(grey))


def separated(grey: NDArray[np.uint8]) -> Floats:
    """Return how much ink each pixel of a grey picture holds: 0 on the ground, 1 in a stroke.

    The result has the picture's shape, or is smaller: at most 512 along a side. Raises NothingDrawnError.
    """
    picture = _shrunk(np.asarray(grey, np.uint8), LARGEST).astype(np.float32)
    ground, is_dark = _ground(_shrunk(grey, GLANCE).astype(np.float32))
    if is_dark:  # from here on ink is darker than its ground
        picture, ground = 255 - picture, 255 - ground
    light = _resized(ground, *picture.shape)
    # As a share of the light that falls there, ink is as strong in a dim corner as in a bright one.
    return _strokes(np.clip((light - picture) / np.maximum(light, DARKEST), 0, 1))


def centred(ink: Floats) -> NDArray[np.uint8]:
    """Return ink (height, width) of 0 to 1 as MNIST has it, (28, 28) uint8; NothingDrawnError without any."""
    strokes = _cropped(np.asarray(ink, np.float32))
    scaled = _scaled(_thickened(_scaled(strokes, FINE)), BOX)
    height, width = scaled.shape
    top, left = (
        int(np.clip(round(CENTRE - middle), 0, SIDE - length))
        for middle, length in zip(ndimage.center_of_mass(scaled), scaled.shape, strict=True)
    )
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = np.round(255 * scaled)
    return image


def _ground(small: Floats) -> tuple[Floats, bool]:
    """Return the ground under a small picture, (height, width), and whether it is darker than the ink.

    The border is ground for the most part. Where half of it is even, the ground is flat; else it is a
    quadratic surface, as paper under a lamp is. What stands out from that tells the side of the ink.
    """
    terms = _quadratic_terms(*small.shape)  # (P, 6), the first of them constant
    grey = small.ravel()
    border = np.ones(small.shape, bool)
    border[1:-1, 1:-1] = False
    edge = border.ravel()
    flat = np.median(np.abs(grey[edge] - np.median(grey[edge]))) <= EVEN
    if flat:
        terms = terms[:, :1]
    surface = terms @ _least_absolute(terms[edge], grey[edge])
    beyond = grey - surface
    is_dark = np.square(beyond[beyond > 0]).sum() > np.square(beyond[beyond < 0]).sum()
    return surface.reshape(small.shape).astype(np.float32), bool(is_dark)


def _quadratic_terms(height: int, width: int) -> Floats:
    """Return 1, x, y, x², xy and y² at every pixel, (height·width, 6), x and y from -1 to 1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _least_absolute(terms: Floats, values: Floats, steps: int = 12) -> Floats:
    """Return the coefficients (K,) of least absolute error, which outliers hardly move.

    By least squares whose weights are the inverse errors of the step before.
    """
    weights = np.ones(len(values))
    tiny = 1e-6 * np.eye(terms.shape[1])  # few pixels may not determine a surface
    for _ in range(steps):
        weighted = terms * weights[:, None]
        coefficients = np.linalg.solve(weighted.T @ terms + tiny, weighted.T @ values)
        weights = 1 / np.maximum(np.abs(values - terms @ coefficients), 1)
    return coefficients


def _strokes(ink: Floats) -> Floats:
    """Return the ink of strokes, brought to 1, without noise and specks; NothingDrawnError where none are."""
    mask = ink > _threshold(ink)
    if not mask.any() or ink[mask].mean() < FAINTEST:
        raise NothingDrawnError("nothing is drawn in it that stands out from its ground")
    spots, _ = ndimage.label(mask, TOUCHING)
    areas = np.bincount(spots.ravel())
    areas[0] = 0  # the ground
    mask = (areas >= SPECK * areas.max())[spots]
    # The edge of a stroke is fainter than the threshold: it is kept near what is stronger.
    near = ndimage.binary_dilation(mask, TOUCHING, iterations=max(1, round(NEAR * max(ink.shape))))
    strokes: Floats = np.clip(ink / np.percentile(ink[mask], 90), 0, 1) * near
    return strokes


def _threshold(values: Floats) -> float:
    """Return where Otsu's method cuts values of at least 0 in two: the classes are furthest apart."""
    counts, edges = np.histogram(values, 256, (0, max(float(values.max()), 1e-6)))
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts)[:-1], counts.sum()
    sums = np.cumsum(counts * middles)[:-1]
    mean = counts @ middles / total
    between = np.square(mean * below - sums) / np.maximum(below * (total - below), 1)
    return float(edges[1 + np.argmax(between)])


def _cropped(ink: Floats) -> Floats:
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise NothingDrawnError("nothing is drawn in it")
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _thickened(strokes: Floats) -> Floats:
    """Return strokes, of the size FINE, grown to the width of a thin MNIST stroke where they are thinner."""
    solid = strokes > 0.5
    if not solid.any():
        return strokes
    # Across a stroke the distance from its edge grows evenly to the middle: on average a quarter of it.
    width = 4 * ndimage.distance_transform_edt(np.pad(solid, 1))[1:-1, 1:-1][solid].mean() - 2
    grow = round((NARROWEST * FINE / BOX - width) / 2)
    if grow < 1:
        return strokes
    offsets = np.arange(-grow, grow + 1)
    disc = np.add.outer(offsets**2, offsets**2) <= grow**2 + grow
    grown: Floats = ndimage.grey_dilation(np.pad(strokes, grow), footprint=disc)
    return grown


def _scaled(ink: Floats, longer: int) -> Floats:
    """Return ink so that its longer side has this many pixels, and the other at least 1."""
    factor = longer / max(ink.shape)
    height, width = (max(1, round(factor * length)) for length in ink.shape)
    return np.clip(_resized(ink, height, width), 0, 1)


def _resized(values: Floats, height: int, width: int) -> Floats:
    """Return values (h, w) at another size; where it is smaller, each takes in all that it stands for."""
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC))


def _shrunk(grey: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Return a grey picture that is at most so large along a side."""
    picture = Image.fromarray(grey)
    picture.thumbnail((longest, longest), Image.Resampling.BOX)
    return np.asarray(picture)
