from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.datasets import normalization
from pipeline.datasets.normalization import PIXELS, SMALLEST_STD, Standardization
from pipeline.errors import UserError

images = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
labels = hnp.arrays(np.uint8, st.integers(2, 200), elements=st.integers(0, 9))
rng = np.random.default_rng


# The split


@given(labels, st.data())
def test_a_split_takes_every_sample_once_and_as_many_as_asked(y: np.ndarray, data: st.DataObject) -> None:
    validation = data.draw(st.integers(1, len(y) - 1))
    train, held_out = normalization.split(y, validation, rng(0))
    assert len(held_out) == validation
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(len(y)))


@given(labels, st.data())
def test_no_class_is_a_whole_sample_off_its_proportion(y: np.ndarray, data: st.DataObject) -> None:
    validation = data.draw(st.integers(1, len(y) - 1))
    _, held_out = normalization.split(y, validation, rng(0))
    proportional = np.bincount(y, minlength=10) * validation / len(y)
    assert (np.abs(np.bincount(y[held_out], minlength=10) - proportional) < 1).all()


def test_the_largest_remainders_are_rounded_up_and_of_equal_ones_the_lower_class() -> None:
    y = np.repeat([0, 1, 2, 3], [4, 5, 5, 6])  # a half of each, 10 in all: 2, 2.5, 2.5, 3
    _, held_out = normalization.split(y, 10, rng(0))
    np.testing.assert_array_equal(np.bincount(y[held_out]), [2, 3, 2, 3])


def test_the_same_seed_splits_alike_and_another_one_does_not() -> None:
    y = np.arange(200) % 10
    first, again, other = (normalization.split(y, 50, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert set(first[1]) != set(other[1])


def test_both_parts_are_shuffled() -> None:
    y = np.sort(np.arange(200) % 10)
    for part in normalization.split(y, 100, rng(0)):
        assert (np.diff(part) < 0).any()
        assert (np.diff(y[part].astype(int)) < 0).any()


@pytest.mark.parametrize("validation", [-1, 0, 20, 21])
def test_a_split_with_nothing_on_one_side_is_refused(validation: int) -> None:
    with pytest.raises(UserError, match=f"normalize.validation: {validation} of 20 images; choose"):
        normalization.split(np.arange(20) % 10, validation, rng(0))


# The standardisation


@given(images)
def test_the_moments_of_each_pixel_are_those_of_float64_numpy(x: np.ndarray) -> None:
    fitted = normalization.fit(x, "per_pixel")
    np.testing.assert_array_equal(
        fitted.mean, x.mean(axis=0, dtype=np.float64).astype(np.float32), strict=True
    )
    std = np.maximum(x.std(axis=0, dtype=np.float64), SMALLEST_STD).astype(np.float32)
    np.testing.assert_allclose(fitted.std, std, rtol=1e-7, strict=True)


@given(images)
def test_the_global_moments_are_one_number_repeated(x: np.ndarray) -> None:
    fitted = normalization.fit(x, "global")
    np.testing.assert_allclose(
        fitted.mean, np.full(x.shape[1], x.mean(dtype=np.float64), np.float32), rtol=1e-7
    )
    std = np.full(x.shape[1], max(x.std(dtype=np.float64), SMALLEST_STD), np.float32)
    np.testing.assert_allclose(fitted.std, std, rtol=1e-7, strict=True)
    assert len(set(fitted.mean)) == len(set(fitted.std)) == 1


@pytest.mark.parametrize("kind", ["global", "per_pixel"])
def test_the_moments_depend_neither_on_the_blocks_nor_on_the_order(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rng(0).integers(0, 256, (1000, 5), dtype=np.uint8)
    whole = normalization.fit(x, kind)
    monkeypatch.setattr(normalization, "BLOCK", 7)
    pieces = normalization.fit(x[rng(1).permutation(1000)], kind)
    np.testing.assert_array_equal(whole.mean, pieces.mean)
    np.testing.assert_array_equal(whole.std, pieces.std)


def test_sums_past_64_bits_are_exact() -> None:
    # 60,000 white and as many black images: the products in the variance reach 1e20.
    x = np.repeat(np.array([0, 255], np.uint8), 60_000)[:, None] * np.ones(784, np.uint8)
    fitted = normalization.fit(x, "global")
    assert fitted.mean[0] == fitted.std[0] == 127.5


@given(images, st.sampled_from(["global", "per_pixel"]))
def test_no_input_is_ever_more_than_ten_deviations_off(x: np.ndarray, kind: str) -> None:
    # Above all where a pixel is constant in training and is not in the image that comes later.
    fitted = normalization.fit(x, kind)
    extremes = np.repeat(np.array([[0], [255]], np.uint8), x.shape[1], axis=1)
    assert np.abs(fitted.apply(np.concatenate([x, extremes]))).max() <= 10.0001


def test_a_constant_pixel_is_standardised_to_zero() -> None:
    x = np.array([[0, 255], [0, 255]], np.uint8)
    np.testing.assert_array_equal(normalization.fit(x, "per_pixel").apply(x), np.zeros((2, 2)))


def test_a_pixel_inked_once_does_not_outweigh_the_others() -> None:
    # 1 in 50,000 images at full ink: without the smallest deviation, an input of 223.6.
    x = np.zeros((50_000, 1), np.uint8)
    x[0] = 255
    assert normalization.fit(x, "per_pixel").apply(x[:1])[0, 0] < 10


def test_standardised_training_images_have_mean_0_and_deviation_1() -> None:
    x = rng(0).integers(0, 256, (500, 28, 28), dtype=np.uint8)
    z = normalization.fit(x.reshape(500, -1), "per_pixel").apply(x)
    assert z.dtype == np.float32
    assert z.shape == (500, 784)
    np.testing.assert_allclose(z.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(z.std(axis=0, dtype=np.float64), 1, atol=1e-6)


def test_images_and_their_flat_rows_are_standardised_alike_and_left_as_they_are() -> None:
    x = rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    before = x.copy()
    fitted = normalization.fit(x.reshape(3, -1), "global")
    np.testing.assert_array_equal(fitted.apply(x), fitted.apply(x.reshape(3, -1)))
    np.testing.assert_array_equal(x, before)


def test_a_standardization_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    fitted = normalization.fit(rng(0).integers(0, 256, (9, PIXELS), dtype=np.uint8), "per_pixel")
    fitted.save(tmp_path / "n.safetensors")
    loaded = normalization.load(tmp_path / "n.safetensors")
    np.testing.assert_array_equal(loaded.mean, fitted.mean, strict=True)
    np.testing.assert_array_equal(loaded.std, fitted.std, strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["n.safetensors"]


ONES = np.ones(PIXELS, np.float32)


@pytest.mark.parametrize(
    ("tensors", "found"),
    [
        ({"mean": ONES}, "no mean and std to read"),
        ({"mean": ONES, "std": ONES[1:]}, r"not float32 \(784,\)"),
        ({"mean": ONES, "std": ONES.astype(np.float64)}, r"not float32 \(784,\)"),
        ({"mean": ONES * np.nan, "std": ONES}, "not finite"),
        ({"mean": ONES, "std": ONES * np.inf}, "not positive"),
        ({"mean": ONES, "std": ONES * 0}, "not positive"),
    ],
)
def test_a_file_of_another_form_is_refused(
    tmp_path: Path, tensors: dict[str, np.ndarray], found: str
) -> None:
    path = tmp_path / "n.safetensors"
    safetensors.numpy.save_file(tensors, path)
    with pytest.raises(UserError, match=f"n.safetensors: .*{found}.*; remove it and run `dvc repro`"):
        normalization.load(path)


@pytest.mark.parametrize("content", [None, b"", b"no tensors"])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "n.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"n.safetensors: no mean and std to read"):
        normalization.load(tmp_path / "n.safetensors")


def test_a_standardization_is_fixed_by_its_fields() -> None:
    x = np.array([[10, 20]], np.uint8)
    stated = Standardization(np.array([8, 8], np.float32), np.array([2, 4], np.float32))
    np.testing.assert_array_equal(stated.apply(x), [[1, 3]])
