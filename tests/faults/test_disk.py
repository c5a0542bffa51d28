"""Disks that are full, and disks that can't be written: small real ones in memory, which root may mount."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults import processes
from tests.repositories import copy_of_the_project
from tests.stages.conftest import fill

PAGE = 4096  # what a disk in memory gives away at a time
# Every stage that writes, the folder that it writes to, and an output to be made again.
STAGES = {
    processes.TRAIN: "results",
    (
        "pipeline.stages",
        "fetch",
    ): "data",
    (
        "pipeline.stages",
        "normalize",
    ): "data",
    (
        "pipeline.stages",
        "fit_regression",
    ): "results",
    ("pipeline.stages", "baseline", "ridge"): "results",
    (
        "pipeline.stages",
        "evaluate",
    ): "results",
    (
        "pipeline.stages",
        "check_gradients",
    ): "results",
    ("pipeline.stages", "exercise", "quadratic"): "results",
}
EVERY_STAGE = [
    pytest.param(stage, id=stage[1], marks=[pytest.mark.slow] if stage != processes.TRAIN else [])
    for stage in STAGES
]
SILENT = {"GRADLINE_TRACKING": "off"}


class Disk(NamedTuple):
    """A project whose outputs of one stage lie on a disk of their own."""

    project: Path
    path: Path

    def fill(self, pages: int) -> None:
        """Leave room for so many pages only."""
        free = os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_frsize
        with (self.path / "filler").open("wb") as filler:
            filler.write(bytes(free - pages * PAGE))

    def make_room(self) -> None:
        (self.path / "filler").unlink()

    def allow_writing(self, allowed: bool) -> None:
        mount("-o", f"remount,{'rw' if allowed else 'ro'}", self.path)

    def outputs(self) -> dict[str, bytes]:
        found = processes.files(self.project / "data", self.project / "results")
        return {path: data for path, data in found.items() if not path.endswith("/filler")}


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"only root may mount a disk: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project on a small part of MNIST, with all outputs."""
    made = copy_of_the_project(tmp_path_factory.mktemp("disk") / "project")
    made.repro("evaluate", "check_gradients", "exercise@quadratic", **SILENT)
    return made.path


@pytest.fixture
def disk(request: pytest.FixtureRequest, stage: tuple[str, ...], tmp_path: Path) -> Iterator[Disk]:
    """The outputs as the stage left them, on a disk of their own."""
    project = tmp_path / "project"
    if stage == processes.TRAIN:
        fill(project)
        assert processes.run(project, *stage, **SILENT)[0] == 0
    else:
        finished = request.getfixturevalue("finished")
        for name in ("data", "results"):
            shutil.copytree(finished / name, project / name)
        shutil.copyfile(finished / "params.yaml", project / "params.yaml")
    path = project / STAGES[stage]
    path.rename(tmp_path / "outputs")
    path.mkdir()
    mount("-t", "tmpfs", "-o", "size=96m", "gradline", path)
    try:
        shutil.copytree(tmp_path / "outputs", path, dirs_exist_ok=True)
        yield Disk(project, path)
    finally:
        subprocess.run(["umount", path], check=True)


def take_an_output(disk: Disk, stage: tuple[str, ...]) -> None:
    """What is there already and right isn't fetched again."""
    if "fetch" in stage:
        (disk.path / "raw/t10k-images-idx3-ubyte").unlink()


@pytest.mark.fault("Machine", "the disk is full while a stage writes")
@pytest.mark.parametrize("stage", EVERY_STAGE)
def test_a_full_disk_is_named_and_what_was_there_stays(disk, stage, happened):
    whole = disk.outputs()
    take_an_output(disk, stage)
    before = disk.outputs()
    for pages in (0, 2):
        disk.fill(pages)
        line = processes.fails_in_one_line(disk.project, *stage, **SILENT)
        assert line.startswith(f"error: {STAGES[stage]}/")
        assert line.endswith(": No space left on device; make room there, then run it again")
        assert ".tmp" not in line
        disk.make_room()
        assert disk.outputs() == before
    assert processes.run(disk.project, *stage, **SILENT)[0] == 0
    assert disk.outputs() == whole
    happened(f"{stage[1]}: {line.removeprefix('error: ')}")


@pytest.mark.fault("Machine", "the folder of the outputs can't be written")
@pytest.mark.parametrize("stage", EVERY_STAGE)
def test_a_folder_that_cannot_be_written_is_named(disk, stage, happened):
    whole = disk.outputs()
    take_an_output(disk, stage)
    before = disk.outputs()
    disk.allow_writing(False)
    line = processes.fails_in_one_line(disk.project, *stage, **SILENT)
    assert line.startswith(f"error: {STAGES[stage]}/")
    assert line.endswith(": Read-only file system; make it writable, then run it again")
    assert disk.outputs() == before
    disk.allow_writing(True)
    assert processes.run(disk.project, *stage, **SILENT)[0] == 0
    assert disk.outputs() == whole
    happened(f"{stage[1]}: {line.removeprefix('error: ')}")
