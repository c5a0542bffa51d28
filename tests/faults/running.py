"""A `dvc repro` that is going on, to be killed, stopped and looked at."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from tests.repositories import Repository, surroundings

SILENT = {"GRADLINE_TRACKING": "off"}
# Seconds, on a loaded machine, for what takes a few.
LONG = 120.0


@dataclass
class Repro:
    """The process, which leads a process group, and what it has said so far."""

    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)

    @property
    def begun(self) -> list[str]:
        """The stages that it has begun."""
        return re.findall(r"^Running stage '(.+)':$", "".join(self.said), re.MULTILINE)

    def reach(self, *stages: str) -> bool:
        """Wait until it begins one of these stages, if any are named; False where it ends before."""
        until = time.monotonic() + LONG
        while stages and not set(stages) & set(self.begun):
            assert time.monotonic() < until, self.said
            if self.process.poll() is not None:
                return False
            time.sleep(0.01)
        return True

    def stage(self) -> psutil.Process | None:
        """Return the process of the stage that is running."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if "pipeline.stages" in child.cmdline() and "-c" not in child.cmdline():
                    return child
        return None

    def send(self, number: int, whom: str) -> None:
        """Send a signal to the `stage` alone, to `dvc` alone, or to the whole `group`, as a terminal does."""
        if whom == "group":
            os.killpg(self.process.pid, number)
        elif whom == "stage" and (stage := self.stage()):
            stage.send_signal(number)
        else:
            self.process.send_signal(number)

    def kill(self, whom: str) -> None:
        """Send SIGKILL, at a random moment: it may just have ended by itself."""
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            self.send(signal.SIGKILL, whom)

    def wait(self) -> int:
        """Wait for its end and return its exit status."""
        return self.process.wait(LONG)


@contextmanager
def repro(repository: Repository, *arguments: str, **environment: str) -> Iterator[Repro]:
    """Start `dvc repro`; it is killed at the end of the block where it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", *arguments],
        cwd=repository.path,
        env={**surroundings(), "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    going = Repro(process)
    listener = threading.Thread(target=_listen, args=(going,), daemon=True)
    listener.start()
    try:
        yield going
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        listener.join(1)  # a stage that outlives DVC keeps the pipe


def mend(repository: Repository, *options: str) -> str:
    """Do what the doctor says, the first command in backticks of each of its lines; return what it said."""
    doctor = repository.run(sys.executable, "-m", "pipeline", "doctor", *options, **SILENT)
    assert doctor.returncode == 1, doctor.stdout + doctor.stderr
    for remedy in re.findall(r"^[^`\n]*`([^`]+)`", doctor.stdout, re.MULTILINE):
        done = repository.run("sh", "-c", remedy, **SILENT)
        assert done.returncode == 0, remedy + done.stdout + done.stderr
    return doctor.stdout


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for something to be so."""
    until = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def _listen(going: Repro) -> None:
    assert going.process.stdout
    for line in going.process.stdout:
        going.said.append(line)
