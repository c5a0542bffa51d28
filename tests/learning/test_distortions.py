"""Distortions: against SciPy's interpolation and blur, against known maps, and their randomness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.learning.distortions import Distorter, Distortion, gaussian

SIDE = 28
EVERYTHING = Distortion(rotation=10, scaling=0.2, shear=0.1, shift=2, elasticity=34, smoothness=4)


def images(count: int = 6, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(0).random((count, side * side), np.float32)


def distorter(distortion: Distortion, seed: int = 0, side: int = SIDE) -> Distorter:
    return Distorter(distortion, side * side, np.random.default_rng(seed))


def moves(distortion: Distortion, count: int = 200) -> np.ndarray:
    """How far each pixel is moved, (N, 2, side, side)."""
    places = distorter(distortion).places(count).reshape(count, 2, SIDE, SIDE)
    return places - np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"))


def test_without_a_distortion_the_images_stay_as_they_are() -> None:
    X = images()
    np.testing.assert_array_equal(distorter(Distortion())(X), X)


def test_pixels_between_pixels_are_those_of_scipys_linear_interpolation() -> None:
    X = images()
    places = distorter(EVERYTHING).places(len(X)).astype(np.float64)
    expected = [
        ndimage.map_coordinates(image.reshape(SIDE, SIDE).astype(np.float64), where, order=1, mode="nearest")
        for image, where in zip(X, places, strict=True)
    ]
    np.testing.assert_allclose(distorter(EVERYTHING)(X), expected, atol=2e-5)


@pytest.mark.parametrize("sigma", [0.7, 2.0, 4.0])
def test_the_two_products_blur_as_scipys_gaussian_filter_does(sigma: float) -> None:
    noise = np.random.default_rng(0).standard_normal((SIDE, SIDE))
    blur = gaussian(SIDE, sigma).astype(np.float64)
    expected = ndimage.gaussian_filter(noise, sigma, mode="constant", truncate=SIDE / sigma)
    np.testing.assert_allclose(blur @ noise @ blur, expected, atol=1e-6)


def test_a_shift_moves_all_pixels_of_an_image_alike_and_by_no_more() -> None:
    found = moves(Distortion(shift=2))
    assert np.ptp(found, axis=(2, 3)).max() < 1e-5
    assert 1.9 < np.abs(found).max() <= 2.00001
    assert abs(found.mean()) < 0.2


def test_a_rotation_keeps_distances_from_the_centre() -> None:
    places = distorter(Distortion(rotation=30)).places(50) - (SIDE - 1) / 2
    before = distorter(Distortion()).places(50) - (SIDE - 1) / 2
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), np.linalg.norm(before, axis=1), rtol=1e-5)
    turned = np.degrees(np.arctan2(*places[:, :, 0].T) - np.arctan2(*before[:, :, 0].T))
    assert 25 < np.abs((turned + 180) % 360 - 180).max() <= 30.001


@pytest.mark.parametrize("field", ["scaling", "shear"])
def test_scaling_and_shear_leave_the_centre_and_are_as_strong_as_told(field: str) -> None:
    found = moves(Distortion(**{field: 0.1}))
    corner = (SIDE - 1) / 2
    assert 0.9 * 0.1 * corner < np.abs(found).max() <= 0.1 * corner * 1.0001
    assert np.abs(found[..., 13:15, 13:15]).max() <= 0.1


def test_all_affine_moves_together_are_scaling_then_rotation_then_shear_then_shift() -> None:
    most = Distortion(rotation=40, scaling=0.3, shear=0.5, shift=3)
    found = distorter(most).places(5)
    drawn = 2 * np.random.default_rng(0).random((5, 6), np.float32).astype(np.float64) - 1
    centre = (SIDE - 1) / 2
    pixels = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")).reshape(2, -1) - centre
    for places, (turn, tall, wide, lean, down, right) in zip(found, drawn, strict=True):
        angle = np.deg2rad(40) * turn
        scaling = np.diag([1 + 0.3 * tall, 1 + 0.3 * wide])
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shear = np.array([[1, 0], [0.5 * lean, 1]])
        expected = shear @ rotation @ scaling @ pixels + 3 * np.array([[down], [right]]) + centre
        np.testing.assert_allclose(places, expected, atol=1e-4)


def test_elastic_moves_are_smooth_without_a_preferred_direction_and_grow_with_alpha() -> None:
    found = moves(Distortion(elasticity=34, smoothness=4))
    assert 0.5 < np.abs(found).mean() < 4
    assert np.abs(np.diff(found, axis=2)).mean() < 0.3 * np.abs(found).mean()
    assert abs(found.mean()) < 0.1
    np.testing.assert_allclose(moves(Distortion(elasticity=68)), 2 * found, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(2, 30), st.integers(1, 5))
def test_a_distorted_image_has_no_pixel_brighter_or_darker(seed: int, side: int, count: int) -> None:
    X = images(count, side)
    found = distorter(EVERYTHING, seed, side)(X)
    assert found.shape == X.shape
    assert found.dtype == np.float32
    assert X.min() - 1e-6 <= found.min() <= found.max() <= X.max() + 1e-6


def test_a_seed_gives_the_same_bits_and_each_image_and_each_call_another_distortion() -> None:
    X = np.repeat(images(1), 4, axis=0)
    first, again, other = (distorter(EVERYTHING, seed) for seed in (0, 0, 1))
    before = X.copy()
    a, b = first(X), first(X)
    np.testing.assert_array_equal(a, again(X))
    np.testing.assert_array_equal(X, before)
    assert len({image.tobytes() for image in (*a, *b, *other(X))}) == 12
    assert not np.shares_memory(a, b)


def test_images_that_are_no_square_are_refused() -> None:
    with pytest.raises(ValueError, match="images of 785 pixels: only square ones can be distorted"):
        Distorter(Distortion(), 785, np.random.default_rng(0))
