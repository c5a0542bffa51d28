"""The stage on 240 made-up images in place of MNIST's 60,000."""

import numpy as np
import pytest
import safetensors.numpy

from pipeline.datasets import mnist, splits
from pipeline.errors import UserError
from pipeline.stages import normalize


def images_of(rng, labels):
    """Noise whose brightness grows from image to image, so that no two parts have the same mean."""
    brightest = np.linspace(60, 255, len(labels))[:, None, None]
    return (rng.random((len(labels), 28, 28)) * brightest).astype(np.uint8)


@pytest.fixture
def raw(monkeypatch):
    rng = np.random.default_rng(0)
    train, test = np.arange(240, dtype=np.uint8) % 10, np.arange(120, dtype=np.uint8) % 10
    made = mnist.Mnist(images_of(rng, train), train, images_of(rng, test), test)
    monkeypatch.setattr(mnist, "load", lambda directory: made)
    return made


@pytest.fixture
def normalized(project, raw, set_param):
    """Where the stage writes; nothing is there yet."""
    for name, value in {"validation": 40, "limit": None, "digits_per_class": 3}.items():
        set_param(f"normalize.{name}", value)
    set_param("normalize.standardization", "global")
    (project / "data/normalized").rename(project / "data/of other tests")
    return project / "data/normalized"


def moments(normalized):
    loaded = safetensors.numpy.load_file(normalized / "normalization.safetensors")
    return loaded["mean"], loaded["std"]


def pixels(normalized, split):
    """The raw pixels that were standardised."""
    mean, std = moments(normalized)
    return np.rint(splits.read(normalized / split)[0] * std + mean).astype(np.uint8)


def as_set(images):
    return {image.tobytes() for image in images.reshape(len(images), -1)}


def test_every_training_image_stands_in_exactly_one_part_with_its_label(normalized, raw):
    normalize.main()
    parts = {name: pixels(normalized, name) for name in ("train", "validation", "test")}
    assert {name: len(part) for name, part in parts.items()} == {"train": 200, "validation": 40, "test": 120}
    assert as_set(parts["train"]) | as_set(parts["validation"]) == as_set(raw.train_images)
    np.testing.assert_array_equal(parts["test"], raw.test_images.reshape(120, -1))
    label_of = {
        image.tobytes(): label for image, label in zip(raw.train_images, raw.train_labels, strict=True)
    }
    for name in ("train", "validation"):
        labels = splits.read(normalized / name)[1]
        assert labels.tolist() == [label_of[image.tobytes()] for image in parts[name]]


def test_the_classes_stand_in_validation_in_proportion(normalized):
    normalize.main()
    assert np.bincount(splits.read(normalized / "validation")[1]).tolist() == [4] * 10


def test_mean_and_deviation_are_those_of_the_training_part_alone(normalized, raw):
    normalize.main()
    train = pixels(normalized, "train").astype(np.float64)
    mean, std = moments(normalized)
    assert mean == pytest.approx(np.full(784, train.mean()), rel=1e-6)
    assert std == pytest.approx(np.full(784, train.std()), rel=1e-6)
    assert abs(raw.train_images.mean() - train.mean()) > 0.01  # so another part would be told apart


def test_per_pixel_standardisation_gives_every_pixel_mean_zero_and_deviation_one(normalized, set_param):
    set_param("normalize.standardization", "per_pixel")
    normalize.main()
    train = splits.read(normalized / "train")[0].astype(np.float64)
    assert np.abs(train.mean(axis=0)).max() < 1e-5
    assert np.abs(train.std(axis=0) - 1).max() < 1e-5


def test_digits_are_so_many_of_each_class_cropped_to_20_by_20(normalized, raw):
    normalize.main()
    images, labels = splits.read(normalized / "digits")
    assert images.shape == (30, 400)
    assert np.bincount(labels).tolist() == [3] * 10
    boxes = as_set(raw.train_images[:, 4:24, 4:24])
    assert as_set(np.rint(images * 255).astype(np.uint8)) <= boxes


def test_a_limit_takes_the_first_images_of_both_files(normalized, raw, set_param):
    set_param("normalize.limit", 100)
    normalize.main()
    used = np.concatenate([pixels(normalized, name) for name in ("train", "validation")])
    assert as_set(used) == as_set(raw.train_images[:100])
    np.testing.assert_array_equal(pixels(normalized, "test"), raw.test_images[:100].reshape(100, -1))


def test_a_second_run_leaves_the_same_bytes_and_another_seed_others(normalized, contents, set_param):
    normalize.main()
    first = contents(normalized)
    assert len(first) == 14  # four splits of two files and their sums, what the crop lost, and the moments
    normalize.main()
    assert contents(normalized) == first
    set_param("seed", 1)
    normalize.main()
    assert contents(normalized)["train/images.npy"] != first["train/images.npy"]


def test_more_validation_images_than_there_are_is_refused_before_anything_is_written(normalized, set_param):
    set_param("normalize.validation", 240)
    with pytest.raises(UserError, match=r"^params.yaml: normalize.validation: 240 of 240 images"):
        normalize.main()
    assert not normalized.exists()


def test_a_digit_that_there_is_none_of_to_train_on_is_named(normalized, raw, set_param):
    set_param("normalize.validation", 239)
    told = r"^params.yaml: normalize.validation = 239: of 240 images that leaves none of digit 0, 1, .*, 8 to"
    with pytest.raises(UserError, match=told):
        normalize.main()
    assert not normalized.exists()
