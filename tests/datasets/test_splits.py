import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import splits
from pipeline.errors import UserError

IMAGES = np.arange(12, dtype=np.float32).reshape(3, 4)
LABELS = np.array([0, 9, 5])


def test_a_split_is_read_back_mapped_and_read_only(tmp_path: Path) -> None:
    splits.write(tmp_path / "train", IMAGES, LABELS)
    images, labels = splits.read(tmp_path / "train")
    np.testing.assert_array_equal(images, IMAGES, strict=True)
    np.testing.assert_array_equal(labels, LABELS.astype(np.uint8), strict=True)
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


def test_writing_replaces_the_whole_directory_and_leaves_nothing_else(tmp_path: Path) -> None:
    splits.write(tmp_path / "train", IMAGES, LABELS)
    (tmp_path / "train" / "stale").touch()
    splits.write(tmp_path / "train", IMAGES + 1, LABELS)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "train",
        "train/SHA256SUMS",
        "train/images.npy",
        "train/labels.npy",
    ]
    assert splits.read(tmp_path / "train")[0][0, 0] == 1


def test_a_write_that_fails_leaves_the_old_split_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits.write(tmp_path / "train", IMAGES, LABELS)
    save: Callable[..., None] = np.save

    def full(path: Path, array: np.ndarray, **options: bool) -> None:
        if path.name == "labels.npy":
            raise OSError(28, "No space left on device")
        save(path, array + 1, **options)

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match="No space left"):
        splits.write(tmp_path / "train", IMAGES, LABELS)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
    np.testing.assert_array_equal(splits.read(tmp_path / "train")[0], IMAGES)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (IMAGES.astype(np.float64), LABELS),
        (IMAGES[0], LABELS),
        (IMAGES, LABELS[:2]),
        (IMAGES, LABELS + 1),
        (IMAGES, LABELS + 256),
        (IMAGES, LABELS - 1),
    ],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="train: "):
        splits.write(tmp_path / "train", images, labels)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "array", "found"),
    [
        ("images.npy", IMAGES.astype(np.float64), r"float64 of shape \(3, 4\) where float32 \(N, D\)"),
        ("images.npy", IMAGES[0], r"float32 of shape \(4,\)"),
        ("labels.npy", LABELS, r"int64 of shape \(3,\) where uint8 \(3,\)"),
        ("labels.npy", np.zeros(2, np.uint8), r"uint8 of shape \(2,\) where uint8 \(3,\)"),
        ("labels.npy", np.array([0, 10, 0], np.uint8), "label 10: only 0 to 9"),
        ("labels.npy", np.array([{}, {}, {}]), "not a whole .npy file"),
    ],
)
def test_a_damaged_file_is_named_with_what_was_found_and_the_remedy(
    tmp_path: Path, file: str, array: np.ndarray, found: str
) -> None:
    splits.write(tmp_path, IMAGES, LABELS)
    np.save(tmp_path / file, array)
    with pytest.raises(UserError, match=rf"{file}: {found}.*; remove it and run `dvc repro`"):
        splits.read(tmp_path)


@pytest.mark.parametrize("file", ["images.npy", "labels.npy"])
@pytest.mark.parametrize("size", [0, 20, -1])
def test_a_file_cut_short_is_named(tmp_path: Path, file: str, size: int) -> None:
    splits.write(tmp_path, IMAGES, LABELS)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:size])
    with pytest.raises(UserError, match=f"{file}: not a whole .npy file"):
        splits.read(tmp_path)


@pytest.mark.parametrize("use", [splits.read, splits.digest])
def test_a_missing_file_is_named(tmp_path: Path, use: Callable[[Path], object]) -> None:
    splits.write(tmp_path, IMAGES, LABELS)
    (tmp_path / "labels.npy").unlink()
    with pytest.raises(
        UserError, match=r"labels.npy: No such file or directory; remove it and run `dvc repro`"
    ):
        use(tmp_path)


@pytest.mark.parametrize("use", [splits.read, splits.digest])
@pytest.mark.parametrize("file", ["images.npy", "labels.npy", "notes.json", "../moments"])
def test_one_bit_flipped_is_found_by_whoever_reads_even_after_an_earlier_reading(
    tmp_path: Path, file: str, use: Callable[[Path], object]
) -> None:
    (tmp_path / "moments").write_bytes(b"mean and deviation")
    split = tmp_path / "train"
    splits.write(split, IMAGES, LABELS, notes={"notes.json": {"lost": 0.5}}, beside=tmp_path / "moments")
    use(split)
    damaged = bytearray((split / file).read_bytes())
    damaged[-2] ^= 1
    (split / file).write_bytes(damaged)
    name = file.removeprefix("../")
    with pytest.raises(UserError, match=rf"{name}: changed since it was written: .*; remove it and run `dvc"):
        use(split)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "00  images.npy\n", "a  b  c\n", "0  images.npy\n0  labels.npy"]
)
def test_damaged_sums_are_refused(tmp_path: Path, text: str) -> None:
    splits.write(tmp_path, IMAGES, LABELS)
    (tmp_path / splits.SUMS).write_text(text)
    with pytest.raises(UserError, match=r"SHA256SUMS.*; remove it and run `dvc repro`"):
        splits.read(tmp_path)


def test_the_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "moments").write_bytes(b"mean and deviation")
    splits.write(tmp_path / "train", IMAGES, LABELS, notes={"n.json": 1}, beside=tmp_path / "moments")
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", splits.SUMS],
        cwd=tmp_path / "train",
        capture_output=True,
        text=True,
    )
    assert checked.stdout == "images.npy: OK\nlabels.npy: OK\nn.json: OK\n../moments: OK\n"


def test_the_digest_is_that_of_both_files_one_after_the_other(tmp_path: Path) -> None:
    splits.write(tmp_path, IMAGES, LABELS)
    both = (tmp_path / "images.npy").read_bytes() + (tmp_path / "labels.npy").read_bytes()
    assert splits.digest(tmp_path) == hashlib.sha256(both).hexdigest()


def test_the_same_arrays_are_the_same_bytes_whatever_their_layout_in_memory(tmp_path: Path) -> None:
    splits.write(tmp_path / "a", IMAGES, LABELS)
    splits.write(tmp_path / "b", IMAGES.copy(order="F"), LABELS.astype(np.uint8))
    assert splits.digest(tmp_path / "a") == splits.digest(tmp_path / "b")
