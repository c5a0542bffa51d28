"""A bit flips where no size or time shows it: in the data, or in DVC's copy of it."""

import os
import sys
from pathlib import Path

import pytest

from tests.repositories import copy, copy_of_the_project

STAGES = (sys.executable, "-m", "pipeline.stages")
TRAIN = "train@softmax-manual"
REMEDY = "; remove it and run `dvc repro`, which "


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A repository with the data and one trained model."""
    made = copy_of_the_project(tmp_path_factory.mktemp("flipped") / "repository")
    made.repro(TRAIN, GRADLINE_TRACKING="off")
    return made


@pytest.fixture
def repository(trained, tmp_path):
    """A copy of it whose files DVC has hashed: from here on it goes by inode, size and time."""
    copied = copy(trained, tmp_path / "copy")
    assert not changed(copied)
    return copied


def changed(repository) -> bool:
    """Whether DVC sees any change in the data."""
    return "up to date" not in repository.dvc("status", "normalize")


def flip(path: Path) -> None:
    """Flip a bit of the last byte but one, and leave size, time and mode as they were."""
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(state.st_mode)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def refused(done) -> str:
    """The one line of a failed command."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line.removeprefix("error: ")


@pytest.mark.slow
@pytest.mark.fault("Getting data", "a bit flipped in data/raw")
@pytest.mark.parametrize("name", ["t10k-labels-idx1-ubyte", "train-images-idx3-ubyte"])
def test_a_flipped_raw_file_is_not_normalised(repository, happened, name):
    before = repository.outputs()
    flip(repository.path / "data/raw" / name)
    assert not changed(repository)
    line = refused(repository.run(*STAGES, "normalize"))
    assert line.startswith(f"data/raw/{name}: not the canonical file: SHA-256 ")
    assert REMEDY in line
    (repository.path / "data/raw" / name).unlink()
    repository.repro("normalize")
    assert repository.outputs() == before
    happened(line)


@pytest.mark.slow
@pytest.mark.fault("Getting data", "a bit flipped in data/normalized")
@pytest.mark.parametrize(
    "name", ["train/images.npy", "train/labels.npy", "train/SHA256SUMS", "normalization.safetensors"]
)
def test_flipped_data_is_not_trained_on(repository, happened, name):
    before = repository.outputs()
    flip(repository.path / "data/normalized" / name)
    assert not changed(repository)
    line = refused(repository.run(*STAGES, "train", "softmax", "manual", GRADLINE_TRACKING="off"))
    if name != "train/SHA256SUMS":
        assert line.startswith(f"data/normalized/{name}: changed since it was written: SHA-256 ")
    assert REMEDY in line
    (repository.path / line.partition(": ")[0]).unlink()
    assert repository.repro("normalize") == ["normalize"]
    assert repository.outputs() == before
    happened(line)


@pytest.mark.slow
@pytest.mark.fault("Getting data", "a bit flipped in DVC's cache")
def test_what_dvc_restores_from_a_damaged_cache_is_not_trained_on(repository, happened):
    before = repository.outputs()
    images = repository.path / "data/normalized/train/images.npy"
    [cached] = [
        file
        for file in (repository.path / ".dvc/cache").rglob("*")
        if file.is_file()
        and file.stat().st_size == images.stat().st_size
        and file.read_bytes() == images.read_bytes()
    ]
    flip(cached)
    images.unlink()
    repository.dvc("checkout", "data/normalized/train")
    assert images.read_bytes() == cached.read_bytes()  # DVC has given it out as good
    assert not changed(repository)
    quiet = {"GRADLINE_TRACKING": "off"}
    again = ("--force", "--single-item", TRAIN)
    line = refused(repository.run(sys.executable, "-m", "dvc", "repro", *again, **quiet))
    assert line.startswith("data/normalized/train/images.npy: changed since it was written: SHA-256 ")
    images.unlink()
    assert repository.repro("normalize") == ["normalize"]
    repository.repro(*again, **quiet)
    assert repository.outputs() == before
    happened(line)
