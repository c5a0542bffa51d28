"""Stages that are stopped or killed while they train: what becomes of them, of their run and of their DVC."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from tests.faults.running import LONG, SILENT, Repro, repro, wait_until
from tests.repositories import Repository, copy, surroundings

STAGE = "train@softmax-manual"
BY_HAND = (sys.executable, "-m", "pipeline", "train", "softmax", "manual")
IN_PARTS = (sys.executable, "-m", "pipeline", "train", "two_layer", "manual")
EPOCHS = {
    f"train.{model}.{name}": value
    for model in ("softmax", "two_layer")
    for name, value in (("epochs", 10_000), ("schedule", "constant"))
}


@pytest.fixture
def endless(trained, empty_store, tmp_path) -> Repository:
    """A copy in which training takes hours."""
    repository = copy(trained, tmp_path / "endless")
    shutil.copyfile(empty_store, repository.path / "mlflow.db")
    for name, value in EPOCHS.items():
        repository.set(name, value)
    return repository


@contextmanager
def by_hand(
    repository: Repository, command: tuple[str, ...] = BY_HAND, **environment: str
) -> Iterator["subprocess.Popen[str]"]:
    """Start a training as a person does; it is killed at the end of the block where it still runs."""
    process = subprocess.Popen(
        command,
        cwd=repository.path,
        env={**surroundings(), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def runs(repository: Repository) -> dict[str, dict[str, str]]:
    """Return every run's status and tags, by its id, as they stand in the store."""
    if not (repository.path / "mlflow.db").exists():
        return {}
    with closing(sqlite3.connect(repository.path / "mlflow.db", timeout=30)) as store:
        found = {
            run: {"status": status} for run, status in store.execute("select run_uuid, status from runs")
        }
        for run, key, value in store.execute("select run_uuid, key, value from tags"):
            found[run][key] = value
    return found


def is_running(repository: Repository) -> bool:
    return any(run["status"] == "RUNNING" for run in runs(repository).values())


def trains_as_ever(repository: Repository, trained: Repository) -> None:
    """With the parameters of before, a plain re-run ends with the same bytes."""
    (repository.path / "params.yaml").write_bytes((trained.path / "params.yaml").read_bytes())
    repository.repro(STAGE, **SILENT)
    assert (repository.text("dvc.lock"), repository.outputs()) == (
        trained.text("dvc.lock"),
        trained.outputs(),
    )


def stage_of(going: Repro) -> psutil.Process:
    """Wait for the training to begin and return its process."""
    assert going.reach(STAGE), going.said
    wait_until(lambda: any("epoch 1/" in line for line in going.said), "an epoch")
    stage = going.stage()
    assert stage
    return stage


@pytest.mark.parametrize(
    ("number", "whom"),
    [
        (signal.SIGINT, "group"),
        pytest.param(signal.SIGINT, "stage", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "stage", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "dvc", marks=pytest.mark.slow),
    ],
)
@pytest.mark.fault("Stopping in the middle", "Ctrl-C or SIGTERM, to a stage or to `dvc repro`")
def test_a_signal_ends_the_stage_and_its_run(endless, trained, happened, number, whom):
    before = endless.outputs()
    with repro(endless, STAGE) as going:
        stage = stage_of(going)
        wait_until(lambda: is_running(endless), "a run")
        sent = time.monotonic()
        going.send(number, whom)
        stage.wait(LONG)
        took = time.monotonic() - sent
        assert going.wait() != 0
    assert "Traceback" not in "".join(going.said)
    assert endless.outputs() == before
    wait_until(lambda: not is_running(endless), "the run's end")
    [run] = runs(endless).values()
    assert run["status"] == "KILLED"
    trains_as_ever(endless, trained)
    happened(
        f"{number.name} to the {whom}: it ends after {took:.1f} s, its run is KILLED, a re-run completes"
    )


@pytest.mark.slow
@pytest.mark.fault("Stopping in the middle", "`kill -9` of a stage and of the process that publishes its run")
def test_a_run_that_nobody_ends_is_failed_by_the_next_start(endless, happened, monkeypatch):
    with by_hand(endless) as stage:
        wait_until(lambda: is_running(endless), "a run")
        [(lost, run)] = runs(endless).items()
        publisher = run["publisher"].split()[3]
        stage.kill()
        os.kill(int(publisher), signal.SIGKILL)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{endless.path / 'mlflow.db'}")
    from pipeline.tracking import connection, ownership

    client = connection.connect()
    host, boot, processes, process, started, number = ownership.tags()[ownership.TAG].split()
    others = {
        "live": (host, boot, processes, process, started, number),
        "of a reused number": (host, boot, processes, process, f"{started}0", number),
        "of before a restart": (host, "another", processes, process, started, number),
        "in another container": (host, boot, "another", "999999999", started, number),
        "on another machine": ("another", "another", processes, "999999999", started, number),
    }
    experiment = client.get_experiment_by_name("mnist").experiment_id
    named = {
        name: client.create_run(experiment, tags={ownership.TAG: " ".join(owner)}).info.run_id
        for name, owner in others.items()
    }
    doctor = endless.run(sys.executable, "-m", "pipeline", "doctor")
    assert doctor.returncode == 1
    assert f"run {lost} is RUNNING, and its publisher is gone; `python -m pipeline publish`" in doctor.stdout
    done = endless.run(sys.executable, "-m", "pipeline", "publish")
    assert done.returncode == 0, done.stderr
    after = runs(endless)
    failure = f"its publisher, process {publisher}, was killed or lost the connection"
    assert (after[lost]["status"], after[lost]["failure"]) == ("FAILED", failure)
    failed = {name for name, run_id in named.items() if after[run_id]["status"] == "FAILED"}
    assert failed == {"of a reused number", "of before a restart"}
    happened(f"the next start marks it FAILED: {failure!r}; a live run and one of another machine stay")


@pytest.mark.parametrize("shell", ["as it is", pytest.param("that stays between", marks=pytest.mark.slow)])
@pytest.mark.fault("Stopping in the middle", "`kill -9` of `dvc repro` while its stage trains on")
def test_a_stage_ends_with_its_dvc(endless, trained, tmp_path, happened, shell):
    environment = SILENT
    if shell != "as it is":
        program = tmp_path / "shell"
        program.write_text('#!/bin/sh\n/bin/sh "$@"\nexit $?\n')
        program.chmod(0o755)
        environment = {**SILENT, "SHELL": str(program)}
    with repro(endless, STAGE, **environment) as going:
        stage = stage_of(going)
        going.process.kill()
        going.wait()
        killed = time.monotonic()
        stage.wait(LONG)
        assert "epoch 10000/" not in "".join(going.said), "it ended by itself"
    happened(f"the stage ends {time.monotonic() - killed:.1f} s after it, and a re-run completes")
    trains_as_ever(endless, trained)


@pytest.mark.parametrize("whom", ["the first", pytest.param("the second", marks=pytest.mark.slow)])
@pytest.mark.fault("Stopping in the middle", "`kill -9` of one of the processes that train a network's parts")
def test_the_processes_that_train_a_network_end_together(endless, happened, whom):
    endless.set("threads", 2)
    endless.set("train.two_layer.distortion", None)
    with by_hand(endless, IN_PARTS, **SILENT) as first:
        assert first.stderr
        assert "epoch 1/" in first.stderr.readline()
        [second] = psutil.Process(first.pid).children()
        killed = time.monotonic()
        (first if whom == "the first" else second).kill()
        first.wait(LONG)
        second.wait(LONG)
        took = time.monotonic() - killed
        said = [line for line in first.stderr if ": epoch " not in line]
    endless.set("train.two_layer.epochs", 1)
    assert endless.run(*IN_PARTS, **SILENT).returncode == 0
    if whom == "the first":
        assert said == []
    else:
        assert first.returncode == 2
        [line] = said
        assert line.startswith(f"error: process {second.pid}, which computes with this one, has ended with ")
        assert line.endswith("; run it again\n")
    happened(f"{whom}: the other ends {took:.1f} s after it {''.join(said)}")


@pytest.mark.slow
@pytest.mark.fault("Stopping in the middle", "the same stage, started twice")
def test_a_stage_that_runs_here_is_refused_with_its_process(endless, happened):
    with by_hand(endless, **SILENT) as first:
        assert first.stderr
        assert "epoch 1/" in first.stderr.readline()
        second = endless.run(*BY_HAND, **SILENT)
        assert second.returncode == 2
        assert second.stderr == (
            f"error: stage train softmax manual: process {first.pid} is running it here; "
            "let it end, or end it, and try again\n"
        )
        assert first.poll() is None
    happened(second.stderr)


@pytest.mark.fault("Stopping in the middle", "`dvc repro`, started twice")
def test_a_second_repro_names_the_process_of_the_first(endless, happened):
    with repro(endless, STAGE, **SILENT) as first:
        stage = stage_of(first)
        second = endless.run(sys.executable, "-m", "dvc", "repro", STAGE, **SILENT)
        assert second.returncode != 0
        assert stage.is_running()
        said = second.stdout + second.stderr
        assert re.search(rf"busy, it is being blocked by:\n  \(PID {first.process.pid}\): .*dvc", said)
        assert "Traceback" not in said
        print(said)
    happened(f"the first goes on; DVC: '… is busy, it is being blocked by: (PID {first.process.pid}): …'")
