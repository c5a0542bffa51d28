"""Any picture of a digit becomes what MNIST's are: light on black, in a box of 20, centred by its mass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw
from scipy import ndimage

from pipeline.datasets import handwriting
from pipeline.datasets.handwriting import NothingDrawnError, as_mnist, centred

INK, PAPER = 20, 235
SEVEN = [(0.3, 0.2), (0.72, 0.2), (0.42, 0.82)]  # shares of the sides


def drawn(width=280, height=280, pen=24, points=SEVEN, ink=INK, paper=PAPER):
    """A stroke of dark ink on light paper, (height, width)."""
    picture = Image.new("L", (width, height), paper)
    scaled = [(x * width, y * height) for x, y in points]
    brush = ImageDraw.Draw(picture)
    brush.line(scaled, fill=ink, width=pen, joint="curve")
    for x, y in scaled:
        brush.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=ink)
    return np.asarray(picture)


def box(image):
    """Height and width of what is drawn."""
    rows, columns = (np.flatnonzero((image > 0).any(axis=axis)) for axis in (1, 0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def far(one, other):
    """The share of the ink that differs."""
    return np.abs(one.astype(float) - other).sum() / one.sum()


def lit_unevenly(picture):
    """The same under a lamp at the left that leaves the right side at half its light."""
    height, width = picture.shape
    across = np.linspace(1, 0.5, width) * np.linspace(1, 0.85, height)[:, None]
    return (picture * across).astype(np.uint8)


def noisy(picture, deviation=6):
    noise = np.random.default_rng(1).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_it_is_light_on_black_in_a_box_of_20_with_its_mass_in_the_centre():
    image = as_mnist(drawn())
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    assert image[0].max() == 0
    assert image.max() > 200
    assert max(box(image)) == 20
    # 14 of 0 to 27, as MNIST's are, to half a pixel.
    assert np.abs(np.subtract(ndimage.center_of_mass(image), 14)).max() <= 0.5


def test_its_proportions_are_kept():
    wide = [(0.1, 0.5), (0.9, 0.5)]
    height, width = box(as_mnist(drawn(points=wide, pen=56)))
    assert width == 20
    assert height == pytest.approx(20 * 56 / (0.8 * 280 + 56), abs=1)
    height, width = box(as_mnist(drawn(points=[(y, x) for x, y in wide], pen=56)))
    assert (height, width < 6) == (20, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: 255 - picture,
        lambda picture: np.pad(picture, ((400, 0), (30, 200)), constant_values=PAPER),
        lambda picture: picture[40:, 60:230],
        lambda picture: np.kron(picture, np.ones((4, 4), np.uint8)),
        lambda picture: picture // 4 + 100,
        lit_unevenly,
        noisy,
        lambda picture: noisy(lit_unevenly(picture)),
        lambda picture: 255 - noisy(lit_unevenly(picture)),
    ],
    ids=["inverted", "padded", "cut", "large", "faint", "lamp", "noise", "photograph", "negative"],
)
def test_a_picture_of_the_same_digit_becomes_the_same_image(change):
    picture = drawn()
    assert far(as_mnist(picture), as_mnist(change(picture))) < 0.12


def test_a_digit_may_reach_all_four_edges_of_its_picture():
    zero = [(0.5 + 0.45 * np.cos(angle), 0.5 + 0.45 * np.sin(angle)) for angle in np.linspace(0, 6.3, 30)]
    picture = drawn(points=zero, pen=40)
    around = np.pad(picture, 100, constant_values=PAPER)
    for change in (np.asarray, lambda picture: 255 - picture):
        assert far(as_mnist(around), as_mnist(change(picture))) < 0.05


def test_another_digit_becomes_another_image():
    one = drawn(points=[(0.5, 0.2), (0.5, 0.8)])
    assert far(as_mnist(drawn()), as_mnist(one)) > 0.5


def test_specks_are_no_part_of_the_digit():
    picture = drawn().copy()
    picture[5:11, 5:11] = picture[270:276, 268:274] = INK
    assert far(as_mnist(drawn()), as_mnist(picture)) < 0.02


def test_a_second_stroke_is_part_of_the_digit():
    bar = drawn(points=[(0.4, 0.5), (0.75, 0.5)])
    crossed = np.minimum(drawn(), bar)
    assert as_mnist(crossed).astype(int).sum() > 1.1 * as_mnist(drawn()).astype(int).sum()
    apart = [drawn(points=points) for points in ([(0.3, 0.2), (0.3, 0.8)], [(0.7, 0.35), (0.7, 0.6)])]
    assert box(as_mnist(np.minimum(*apart)))[1] > 10


def test_a_fine_pen_is_as_bright_as_a_broad_one():
    fine, broad = (as_mnist(drawn(1000, 1000, pen)) for pen in (6, 80))
    assert np.percentile(fine[fine > 0], 90) > 150
    assert fine.astype(int).sum() > 0.3 * broad.astype(int).sum()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 40), (600, 300)])
def test_a_blank_picture_has_no_digit(shape):
    for grey in (0, 128, 255):
        with pytest.raises(NothingDrawnError, match="nothing is drawn"):
            as_mnist(np.full(shape, grey, np.uint8))


def test_paper_under_a_lamp_has_no_digit():
    with pytest.raises(NothingDrawnError):
        as_mnist(noisy(lit_unevenly(np.full((300, 300), PAPER, np.uint8)), deviation=3))


def test_no_ink_has_no_digit():
    with pytest.raises(NothingDrawnError):
        centred(np.zeros((140, 140), np.float32))


def test_a_small_dot_is_a_digit_too():
    image = as_mnist(np.pad(np.zeros((1, 1), np.uint8), 60, constant_values=255))
    assert np.abs(np.subtract(ndimage.center_of_mass(image), 14)).max() <= 0.5


def test_the_picture_is_left_as_it_was():
    picture = drawn()
    before = picture.copy()
    as_mnist(picture)
    assert np.array_equal(picture, before)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.uint8,
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60),
        elements=st.integers(0, 255),
        fill=st.integers(0, 255),
    )
)
def test_whatever_the_picture_there_is_an_image_with_ink_or_none(picture):
    try:
        image = as_mnist(picture)
    except NothingDrawnError:
        return
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    assert image.max() > 0
    assert max(box(image)) <= handwriting.BOX
