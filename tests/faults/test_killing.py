"""`kill -9` at random moments: the next `dvc repro` ends as if nothing had happened."""

import json
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.files import TEMPORARY
from tests.faults.running import SILENT, mend, repro
from tests.repositories import Repository, commit, copy, copy_of_the_project

STAGES = ("fetch", "normalize", "train@softmax-manual", "evaluate")
START = "its start"  # before any stage: DVC reads its files and compares
MADE = (
    *(
        "data",
        ".dvc/cache",
        "dvc.lock",
        "results/comparison.md",
        "results/evaluation",
        "results/evaluation.json",
    ),
    *("results/runs/comparison", "results/runs/softmax-manual"),
)
SEED = 20_240_229
State = tuple[str, dict[str, bytes]]


def state(repository: Repository) -> State:
    """Return dvc.lock and every output, but for what is unfinished beside them."""
    outputs = {
        path: data
        for path, data in repository.outputs().items()
        if not any(map(TEMPORARY.search, Path(path).parts))
    }
    return repository.text("dvc.lock") if (repository.path / "dvc.lock").exists() else "", outputs


def spans(repository: Repository) -> dict[str, float]:
    """Return how many seconds each stage takes DVC, about, as the last run measured it."""
    found = {START: 2.0}
    for path in (repository.path / "results/timings").iterdir():
        timing = json.loads(path.read_text())
        found[path.stem.replace("train-", "train@")] = timing["start"] + timing["seconds"] + 0.5
    return found


def kill_on_the_way(
    repository: Repository, stages: tuple[str, ...], seconds: dict[str, float], rng: random.Random
) -> Iterator[str]:
    """Start `dvc repro` again and again, to kill it once in each stage; yield what was done."""
    for index, target in enumerate((START, *stages)):
        whom, after = rng.choice(("stage", "dvc", "group")), rng.uniform(0, seconds[target])
        with repro(repository, stages[-1], **SILENT) as going:
            if going.reach(*stages[index - 1 :] if index else ()):
                time.sleep(after)
            going.kill(whom)
            status = going.wait()
        if status > 0 and whom != "stage":
            mend(repository)
            yield f"mended before {target}: {going.said[-1].strip()}"
        elif status:
            yield f"{whom} killed {after:.2f} s into {target}"


def finish(repository: Repository, *stages: str) -> str:
    """Run `dvc repro` to its end, after the doctor's remedy where DVC can't read a file of its own."""
    done = repository.run(sys.executable, "-m", "dvc", "repro", *stages, **SILENT)
    if done.returncode == 0:
        return ""
    mend(repository)
    repository.repro(*stages, **SILENT)
    return f"mended at the end: {done.stderr.strip().splitlines()[-1]}"


def nothing_made(subset: Repository, target: Path) -> Repository:
    """Return a copy in which no stage has run."""
    empty = copy(subset, target)
    for name in MADE:
        path = empty.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    commit(empty, "Without outputs")
    return empty


def made_otherwise(other: Repository, target: Path) -> Repository:
    """Return a copy in which every stage must run again."""
    changed = copy(other, target)
    changed.set("seed", 0)
    shutil.rmtree(changed.path / "data/raw")
    return changed


def assert_nothing_is_half(repository: Repository, before: State, after: State) -> None:
    """Every output is that of before or that of the undisturbed run."""
    for path, data in state(repository)[1].items():
        assert data in (before[1].get(path), after[1].get(path)), path


@pytest.mark.fault(
    "Stopping in the middle", "`kill -9` of stages and of `dvc repro`, at random moments on the way"
)
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(trained, tmp_path, happened):
    rng = random.Random(SEED)
    repository = nothing_made(trained, tmp_path / "killed")
    before, after = state(repository), state(trained)
    said = []
    for kill in kill_on_the_way(repository, STAGES[:3], spans(trained), rng):
        said.append(kill)
        assert_nothing_is_half(repository, before, after)
    said.append(finish(repository, STAGES[2]))
    assert state(repository) == after
    happened(f"{len(said) - 1} kills, same dvc.lock, same bytes: {'; '.join(filter(None, said))}")


@pytest.mark.slow
@pytest.mark.fault(
    "Stopping in the middle", "the same at fifty random moments, over outputs of an earlier run"
)
def test_fifty_random_kills_leave_no_trace(subset, tmp_path, happened):
    rng = random.Random(SEED + 1)
    other = copy(subset, tmp_path / "other")
    other.set("seed", 1)
    other.repro(**SILENT)
    before, after = state(other), state(subset)
    killed, mended = [], []
    while len(killed) < 50:
        repository = made_otherwise(other, tmp_path / "killed")
        for said in kill_on_the_way(repository, STAGES, spans(subset), rng):
            print(said)
            (mended if said.startswith("mended") else killed).append(said)
            assert_nothing_is_half(repository, before, after)
        mended += filter(None, [finish(repository)])
        assert state(repository) == after
        shutil.rmtree(repository.path)
    torn = f"{len(mended)} where a file of DVC's was cut off and mended: {'; '.join(mended)}"
    happened(f"{len(killed)} kills, always the same bytes, {torn}")


@pytest.mark.slow
@pytest.mark.xdist_group("the whole pipeline killed")  # beside the fifty, which take longest
@pytest.mark.fault("Stopping in the middle", "`kill -9` at three random moments of the whole pipeline")
def test_the_whole_pipeline_killed_three_times_ends_as_an_undisturbed_one(tmp_path, happened):
    rng = random.Random(SEED + 2)
    undisturbed, killed = (copy_of_the_project(tmp_path / name) for name in ("undisturbed", "killed"))
    began = time.monotonic()
    undisturbed.repro(**SILENT)
    took = time.monotonic() - began
    said = []
    while len(said) < 3:
        whom, after = rng.choice(("stage", "dvc", "group")), rng.uniform(0, took / 3)
        with repro(killed, **SILENT) as going:
            time.sleep(after)
            going.kill(whom)
            status = going.wait()
        if status > 0 and not going.begun:
            mend(killed)
        else:
            said.append(f"{whom} killed after {after:.1f} s in {(going.begun or [START])[-1]}")
    said.append(finish(killed))
    assert state(killed) == state(undisturbed)
    happened("; ".join(filter(None, said)))
