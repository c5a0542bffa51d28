"""Whose a RUNNING run is, so that one that `kill -9` or a power cut left can be told from a live one.

A run is tagged with the process that publishes it. Every publisher, when it starts, ends the runs whose
process is gone. It judges only what it can see: the processes of this machine since it was started, and,
in a SQLite store, which is a file of this machine, what was running before.
"""

import hashlib
import os
import platform
import uuid
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.tracking import connection, store
from pipeline.tracking.quiet_mlflow import MlflowClient, Run

TAG = "publisher"
BOOT = Path("/proc/sys/kernel/random/boot_id")
PROCESSES = Path("/proc/self/ns/pid")


def tags() -> dict[str, str]:
    """Return the tag of one run that this process publishes; host and boot as digests, which name nobody.

    The last word is another one for every run.
    """
    process = [_host(), _boot(), _processes(), str(os.getpid()), _started(os.getpid())]
    return {TAG: " ".join([*process, uuid.uuid4().hex[:12]])}


def end_abandoned(client: MlflowClient) -> list[Run]:
    """End every run of ours whose publisher is gone as FAILED, with the reason, and return them.

    MLflow's exceptions pass.
    """
    abandoned = [run for run in connection.running_runs(client) if is_abandoned(run)]
    for run in abandoned:
        process = run.data.tags[TAG].split()[3]
        failure = f"its publisher, process {process}, was killed or lost the connection"
        connection.abandon(client, run, failure)
    return abandoned


def is_abandoned(run: Run) -> bool | None:
    """Say whether a RUNNING run's publisher is gone; None where that can't be told from here."""
    match run.data.tags.get(TAG, "").split():
        case [host, boot, processes, process, started, _] if host == _host():
            if (boot, processes) == (_boot(), _processes()):
                return _started(int(process)) != started
            if boot != _boot() and store.database():
                return True  # this machine has been started again since
    return None


def _host() -> str:
    # Linux's boot id is like no other; elsewhere the network card has to tell machines of one name apart.
    return _digest(platform.node() if BOOT.exists() else f"{platform.node()} {uuid.getnode()}")


def _boot() -> str:
    """Return what changes whenever the machine starts; always the same where only Linux would tell."""
    return _digest(BOOT.read_text()) if BOOT.exists() else "-"


def _processes() -> str:
    """Return the space of process numbers: each container has its own."""
    with suppress(OSError):
        return _digest(str(PROCESSES.readlink()))
    return "-"


def _started(process: int) -> str:
    """Return when a process started, as the kernel counts; `-` where there is no such process."""
    with suppress(OSError, IndexError):
        # psutil adds the time of booting, which changes when the clock is set.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    with suppress(psutil.Error):
        return str(psutil.Process(process).create_time())
    return "-"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
