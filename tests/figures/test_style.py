import io
import struct
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from pipeline.figures import evaluation, images
from pipeline.learning.evaluation import Reliability

HISTORY = [
    {
        "epoch": epoch,
        "train/loss": 1 / epoch,
        "train/accuracy": 1 - 0.1 / epoch,
        "validation/loss": 1.1 / epoch,
        "validation/accuracy": 1 - 0.2 / epoch,
    }
    for epoch in range(1, 41)
]


def pictures() -> dict[str, bytes]:
    """One picture of every kind."""
    rng = np.random.default_rng(0)
    samples = np.array([0, 3, 10])
    bins = Reliability(samples, np.array([np.nan, 0.5, 0.9]), np.array([np.nan, 2 / 3, 1]))
    pixels = rng.uniform(0, 255, (7, 28, 28))
    digits = np.arange(7)
    return {
        "learning_curves": evaluation.learning_curves("a", HISTORY, 40),
        "one_epoch": evaluation.learning_curves("a", HISTORY[:1], 1),
        "reliability": evaluation.reliability("a", bins),
        "comparison": evaluation.comparison({"a": (0.1, 0.05, 0.2), "baseline-b": (0.0, 0.0, 0.01)}),
        "confusion": images.confusion("a", rng.integers(0, 50, (10, 10))),
        "no_confusion": images.confusion("a", np.diag(digits)),
        "class_weights": images.class_weights("a", rng.normal(size=(784, 10)), 28),
        "hidden_units": images.hidden_units("a", rng.normal(size=(784, 120)), 28),
        "few_units": images.hidden_units("a", np.zeros((784, 3)), 28),
        "worst_mistakes": images.worst_mistakes("a", pixels, digits, digits[::-1], digits / 7),
        "no_mistake": images.worst_mistakes("a", pixels[:0], digits[:0], digits[:0], digits[:0]),
    }


def chunks(png: bytes) -> Iterator[str]:
    """The types of a PNG file's chunks."""
    place = 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        yield png[place + 4 : place + 8].decode()
        place += 12 + length


@pytest.fixture(scope="module")
def ours() -> dict[str, bytes]:
    return pictures()


def test_no_setting_of_the_user_changes_a_picture_and_none_is_changed(ours):
    settings = {"font.size": 20, "lines.linewidth": 9, "axes.grid": True, "text.color": "red"}
    with mpl.rc_context({**settings, "figure.dpi": 50, "savefig.transparent": True}):
        before = dict(mpl.rcParams)
        assert pictures() == ours
        assert dict(mpl.rcParams) == before


def test_a_picture_has_no_chunk_but_its_pixels_and_their_size(ours):
    for name, png in ours.items():
        assert set(chunks(png)) == {"IHDR", "pHYs", "IDAT", "IEND"}, name


def test_a_picture_is_opaque_and_stands_on_white(ours):
    for name, png in ours.items():
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
        assert (pixels[..., 3] == 255).all(), name
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all(), f"{name}: its corners"


def test_a_tile_is_drawn_pixel_by_pixel():
    image = np.zeros((1, 28, 28))
    image[0, 5, 7] = 255
    digit = np.array([3])
    drawn = Image.open(io.BytesIO(images.worst_mistakes("a", image, digit, digit + 1, np.array([0.5]))))
    gray = np.asarray(drawn.convert("L"))
    top, left = images.TOP + 18, images.LEFT
    tile = gray[top : top + 84, left : left + 84]
    assert (tile == 255 - np.kron(image[0], np.ones((3, 3)))).all()
