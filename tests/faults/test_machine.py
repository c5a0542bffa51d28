"""Machines that lack what others have, or have it wrong."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tests.faults import processes
from tests.faults.tracked import THERE
from tests.repositories import REPOSITORY, copy_of_the_project, surroundings
from tests.stages.conftest import fill, set_parameters

SILENT = {"GRADLINE_TRACKING": "off"}
# Enough for a matrix product to be shared out among threads.
LARGE = {"train.two_layer.hidden": 256, "train.two_layer.batch_size": 256}
TEN_YEARS = 10 * 365 * 24 * 3600


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the same training leaves on a machine that has everything, by name."""
    folder = fill(tmp_path_factory.mktemp("elsewhere"))
    assert processes.run(folder, *processes.TRAIN, **SILENT)[0] == 0
    return outputs(folder)


def outputs(folder: Path) -> dict[str, bytes]:
    root = folder / "results/runs"
    return {Path(path).relative_to(root).as_posix(): data for path, data in processes.files(root).items()}


def works(tracked, elsewhere, **environment):
    """Train and publish as if nothing were: silently, the same bytes, one complete run."""
    assert tracked.train(**environment) == []
    assert outputs(tracked.path) == elsewhere
    tracked.is_complete()
    assert tracked.publish(**environment) == [THERE]


@pytest.mark.slow
@pytest.mark.fault("Machine", "there is no home directory, or it can't be written")
@pytest.mark.parametrize("home", [None, "/dev/null/home"], ids=["none", "barred"])
def test_a_home_directory_is_not_needed(tracked, elsewhere, home, happened):
    caches = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR"))
    works(tracked, elsewhere, HOME=home, **caches)
    happened("the same bytes, tracked, no warning")


@pytest.mark.slow
@pytest.mark.fault(
    "Machine", "the environment names a backend of pictures that isn't installed, as a notebook's"
)
def test_the_backend_of_a_notebook_does_not_matter(tracked, elsewhere, happened):
    notebook = {"MPLBACKEND": "module://nowhere.inline", "MATPLOTLIBRC": "/dev/null/nowhere"}
    works(tracked, elsewhere, **notebook)
    assert processes.run(tracked.path, "pipeline.stages", "exercise", "softmax_loops", **notebook)[::2] == (
        0,
        [],
    )
    happened("the same bytes, tracked, no warning")


@pytest.mark.slow
@pytest.mark.fault("Machine", "the locale is C")
def test_the_locale_does_not_matter(tracked, elsewhere, happened):
    works(tracked, elsewhere, LC_ALL="C", LANG=None, PYTHONUTF8=None, PYTHONIOENCODING=None)
    happened("the same bytes, tracked, no warning")


@pytest.mark.slow
@pytest.mark.fault("Machine", "the clock is ten years off")
@pytest.mark.parametrize("off", [-TEN_YEARS, TEN_YEARS], ids=["behind", "ahead"])
def test_the_clock_does_not_matter(tracked, elsewhere, off, happened):
    [library] = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")] or [None]
    if library is None:
        assert "CI" not in os.environ, "faketime is missing"
        pytest.skip("faketime is not installed")
    works(tracked, elsewhere, LD_PRELOAD=str(library), FAKETIME=f"{off:+d}", FAKETIME_NO_CACHE="1")
    [run] = tracked.runs()
    years = (run.info.start_time / 1000 - tracked.path.stat().st_ctime) / (365 * 24 * 3600)
    assert abs(years - off / (365 * 24 * 3600)) < 0.1  # it was really believed
    happened("the same bytes, tracked under the date that the clock shows")


@pytest.mark.slow
@pytest.mark.fault("Machine", "there is no git")
def test_without_git_the_commit_is_unknown(tracked, elsewhere, tmp_path, happened):
    (tmp_path / "programs").mkdir()
    works(tracked, elsewhere, PATH=str(tmp_path / "programs"))
    [run] = tracked.runs()
    assert run.data.tags["git.commit.source"] == "unknown"
    assert "- Commit: unknown" in run.data.tags["mlflow.note.content"]
    happened("the same bytes, tracked with the commit unknown")


@pytest.mark.slow
@pytest.mark.fault("Machine", "the path of the checkout has spaces and letters beyond ASCII")
def test_any_path_will_do(tmp_path, happened):
    made = copy_of_the_project(tmp_path / "with spaces, ünd ☃ 'quotes'" / "a chéckout")
    assert made.repro("exercise@two_layer")[-1] == "exercise@two_layer"
    assert made.repro("exercise@two_layer") == []
    said = made.run("python", "-m", "pipeline", "publish")
    assert (said.returncode, said.stdout[:24], said.stderr) == (0, "publish: 0 runs added, 2", "")
    happened("runs, is tracked, and a second repro runs nothing")


@pytest.mark.slow
@pytest.mark.fault("Machine", "an exported tree: the project without its git repository")
def test_an_exported_tree_is_told_what_dvc_needs(tmp_path, happened):
    made = copy_of_the_project(tmp_path / "exported")
    shutil.rmtree(made.path / ".git")
    alone = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    line = processes.fails_in_one_line(made.path, "pipeline", "check", **alone)
    remedy = "dvc config --local core.no_scm true"
    assert (
        line == f"error: {made.path}: not a git repository, which DVC asks for; `{remedy}` lets it do without"
    )
    made.dvc(*remedy.split()[1:], **alone)
    assert processes.run(made.path, "pipeline", "check", **alone) == (0, "", [])
    assert made.repro("exercise@two_layer", **alone)[-1] == "exercise@two_layer"
    said = made.run("python", "-m", "pipeline", "publish", **alone)
    assert (said.returncode, said.stdout[:24], said.stderr) == (0, "publish: 0 runs added, 2", "")
    happened(line.removeprefix("error: ").partition(": ")[2])


@pytest.mark.fault("Machine", "no memory that processes may share")
def test_processes_that_cannot_meet_say_what_they_need(tmp_path, happened):
    folder = fill(tmp_path)
    set_parameters(folder / "params.yaml", {"threads": 2, **LARGE})
    hidden = "mount -t tmpfs -o ro none /dev/shm || exit 77; exec "
    command = [sys.executable, "-m", "pipeline", "train", "two_layer", "manual"]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hidden + shlex.join(command)],
        cwd=folder,
        env={**surroundings(), "PYTHONPATH": str(REPOSITORY), **SILENT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or done.stderr.startswith("unshare: "):
        pytest.skip(f"only root may mount: {done.stderr.strip()}")
    assert done.returncode == 2
    assert done.stderr == (
        "error: 2 processes that compute together can't be started: Read-only file system; let them write to "
        "/dev/shm, and be so many, or set threads to 1 in params.yaml\n"
    )
    happened(done.stderr.removeprefix("error: "))


@pytest.mark.slow
@pytest.mark.fault("Machine", "one thread, and more threads than processors")
def test_any_number_of_threads_runs_and_the_same_number_leaves_the_same_bytes(tmp_path, happened):
    train = ("pipeline", "train", "two_layer", "manual")
    found, weights = {}, {}
    for threads in (1, 4):
        folder = fill(tmp_path / str(threads))
        set_parameters(folder / "params.yaml", {"threads": threads, **LARGE})
        for again in (False, True):
            assert processes.run(folder, *train, **SILENT)[0] == 0
            assert found.setdefault(threads, outputs(folder)) == outputs(folder), again
        weights[threads] = safetensors.numpy.load(found[threads]["two_layer-manual/weights.safetensors"])
    far = max(float(np.abs(weights[1][name] - weights[4][name]).max()) for name in weights[1])
    assert far < 1e-5
    happened(f"the same bytes for the same number; 1 and 4 differ by {far:.0e} at most in a weight")
