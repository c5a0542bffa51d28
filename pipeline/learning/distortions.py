"""Random distortions of images: another handwriting of the same digit (Simard, Steinkraus and Platt 2003).

Every image is sampled at the places of its pixels, moved: by an affine map drawn for the image (turned,
scaled, sheared, shifted), and by a smooth random field (elastic). Places outside are those at the border.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.learning.arrays import Workspace

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Distortion:
    """The largest moves. Affine ones are drawn uniformly between minus and plus these."""

    rotation: float = 0.0
    """Degrees."""
    scaling: float = 0.0
    """Share of the size, of each axis by itself."""
    shear: float = 0.0
    """Shift of a row, in rows, for each row that it is off the centre."""
    shift: float = 0.0
    """Pixels, of each axis by itself."""
    elasticity: float = 0.0
    """α: pixels, times uniform noise of -1 to 1 blurred by a Gaussian; 0: no elastic distortion."""
    smoothness: float = 4.0
    """σ of that Gaussian, in pixels."""


class Distorter:
    """Distorts batches of square images of one size, of one source of randomness."""

    def __init__(self, distortion: Distortion, pixels: int, rng: np.random.Generator) -> None:
        """Prepare for images of so many pixels; ValueError where that is no square."""
        self._side = round(pixels**0.5)
        if self._side**2 != pixels:
            raise ValueError(f"images of {pixels} pixels: only square ones can be distorted")
        self._distortion = distortion
        self._rng = rng
        across = np.arange(self._side, dtype=np.float32)
        rows, columns = (grid.ravel() for grid in np.meshgrid(across, across, indexing="ij"))
        centre = np.float32((self._side - 1) / 2)
        # (3, P): rows and columns from the centre, and ones for the shift.
        self._grid = np.stack([rows - centre, columns - centre, np.ones(pixels, np.float32)])
        self._centre = centre
        self._blur = gaussian(self._side, distortion.smoothness)  # symmetric
        self._stretched_blur = np.float32(2 * distortion.elasticity) * self._blur
        self._floats, self._indices = Workspace(np.dtype(np.float32)), Workspace(np.dtype(np.intp))

    def __call__(self, images: Floats) -> Floats:
        """Return the images (N, P), each distorted in a way of its own, as a new array."""
        places = self.places(len(images))
        return self._bilinear(images, places[:, 0], places[:, 1])

    def places(self, count: int) -> Floats:
        """Draw where `count` images are sampled: (N, 2, P), rows and columns, till the next call."""
        places: Floats = self._floats("places", 2 * count, self._grid.shape[1])
        np.matmul(self._maps(count).reshape(2 * count, 3), self._grid, out=places)
        places += self._centre
        if self._distortion.elasticity:
            places += self._fields(2 * count)
        return places.reshape(count, 2, -1)

    def _maps(self, count: int) -> Floats:
        """Draw affine maps (N, 2, 3), from a pixel to where it is sampled."""
        d = self._distortion
        most = np.array([np.deg2rad(d.rotation), d.scaling, d.scaling, d.shear, d.shift, d.shift], np.float32)
        drawn = (2 * self._rng.random((count, 6), np.float32) - 1) * most
        angle, tall, wide, shear, down, right = drawn.T
        cos, sin = np.cos(angle), np.sin(angle)
        maps = np.empty((count, 2, 3), np.float32)
        maps[:, 0] = np.stack([(1 + tall) * cos, -(1 + wide) * sin, down], axis=1)
        maps[:, 1] = np.stack([(1 + tall) * (sin + shear * cos), (1 + wide) * (cos - shear * sin), right], 1)
        return maps

    def _fields(self, count: int) -> Floats:
        """Draw smooth displacements (N, P): a product blurs along one axis, a second along the other."""
        side = self._side
        noise = self._floats("noise", count * side, side)
        self._rng.random(dtype=np.float32, out=noise)
        noise -= np.float32(0.5)  # the blur holds the factor 2 that brings this to -1 ... 1
        rows = np.matmul(noise, self._blur, out=self._floats("rows", count * side, side))
        fields: Floats = self._floats("fields", count, side, side)
        np.matmul(self._stretched_blur, rows.reshape(count, side, side), out=fields)
        return fields.reshape(count, -1)

    def _bilinear(self, images: Floats, rows: Floats, columns: Floats) -> Floats:
        """Return the images (N, P) at places (N, P) between their pixels, as a new array (N, P)."""
        corner, down = self._split(rows, "down")
        left, right = self._split(columns, "right")
        corner *= self._side
        corner += left
        corner += np.arange(0, images.size, images.shape[1])[:, None]
        pixels = images.reshape(-1)
        upper = self._along_row(pixels, corner, right, np.empty(corner.shape, np.float32))
        corner += self._side
        lower = self._along_row(pixels, corner, right, self._floats("lower", *corner.shape))
        lower -= upper
        lower *= down
        upper += lower
        return upper

    def _along_row(self, pixels: Floats, index: Indices, right: Floats, out: Floats) -> Floats:
        """Return what is between the pixels at `index` and their right neighbours."""
        # Any mode but "raise" lets NumPy write to `out` without a second copy; every index is valid.
        pixels.take(index, out=out, mode="clip")
        step = pixels[1:].take(index, out=self._floats("step", *index.shape), mode="clip")
        step -= out
        step *= right
        out += step
        return out

    def _split(self, places: Floats, name: str) -> tuple[Indices, Floats]:
        """Return the pixel before each place, never the last one, and how far beyond it the place is."""
        beyond = np.clip(places, 0, self._side - 1, out=self._floats(name, *places.shape))
        before = self._indices(name, *places.shape)
        np.minimum(beyond, self._side - 2, out=before, casting="unsafe")
        beyond -= before
        return before, beyond


def gaussian(side: int, sigma: float) -> Floats:
    """Return the matrix (side, side) that blurs a row: a Gaussian of unit sum, cut off at the border."""
    reach = np.arange(-side, side + 1)
    weights = np.exp(-0.5 * (reach / sigma) ** 2)
    weights /= weights.sum()
    offset = np.arange(side)[:, None] - np.arange(side)[None, :]
    blur: Floats = weights[offset + side].astype(np.float32)
    return blur
