"""The digits of 20×20 pixels for exercise 4."""

import numpy as np
import pytest

from pipeline.datasets import normalization
from pipeline.errors import UserError

rng = np.random.default_rng


def _images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    return rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8), np.arange(100, dtype=np.uint8) % 10


def test_as_many_digits_of_each_class_are_drawn_as_asked_and_none_twice() -> None:
    x, y = _images_and_labels()
    pixels, drawn, _ = normalization.digits(x, y, 4, rng(0))
    assert pixels.shape == (40, 400)
    assert pixels.dtype == np.float32
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(drawn), np.full(10, 4))
    assert len(np.unique(pixels, axis=0)) == 40
    assert (np.diff(drawn.astype(int)) < 0).any()  # shuffled


def test_a_digit_is_the_central_box_of_its_image_in_0_to_1() -> None:
    x, y = _images_and_labels()
    pixels, drawn, _ = normalization.digits(x, y, 10, rng(0))
    boxes = {image[4:-4, 4:-4].tobytes(): label for image, label in zip(x, y, strict=True)}
    raw = np.rint(pixels * 255).astype(np.uint8)
    assert [boxes[row.tobytes()] for row in raw] == list(drawn)
    assert 0 <= pixels.min() < pixels.max() <= 1


def test_the_ink_lost_is_what_lies_outside_the_box() -> None:
    x = np.zeros((10, 28, 28), np.uint8)
    x[:, 4, 4] = x[:, 23, 23] = 30  # the box's corners
    x[:, 3, 10] = x[:, 24, 10] = x[:, 10, 3] = x[:, 10, 24] = 5  # just outside
    assert normalization.digits(x, np.arange(10), 1, rng(0))[2] == pytest.approx(0.25)


def test_the_same_seed_draws_alike_and_another_one_does_not() -> None:
    x, y = _images_and_labels()
    first, again, other = (normalization.digits(x, y, 4, rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_too_few_images_of_a_digit_are_named() -> None:
    x, y = _images_and_labels()
    y[7] = 3
    with pytest.raises(UserError, match="digits_per_class: 10: there are only 9 images of the digit 7"):
        normalization.digits(x, y, 10, rng(0))
