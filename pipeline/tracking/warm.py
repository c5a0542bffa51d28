"""A publisher that has imported MLflow already, for all the stages of one `dvc repro`.

The import takes seconds of a processor that training wants. So one process does it once, and forks for
every publisher that a stage starts: the publisher hands over its pipes and its environment, and waits.
The first publisher under a DVC starts it, and it ends with that DVC. Outside of DVC, and wherever
this fails, a publisher imports MLflow itself.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

# Names the address of a warm publisher that is kept by somebody else.
ADDRESS = "GRADLINE_PUBLISHER"
# Seconds for the process to start; it listens before it imports anything that takes long.
START = 3.0
# Seconds after which it notices that its keeper is gone.
GLANCE = 0.5
DONE = b"0"
STANDARD = [0, 1, 2]


def hand_over() -> int | None:
    """Let a warm publisher do this process's work; return the exit status, or None where there is none."""
    try:
        connection = _connect()
    except (OSError, psutil.Error):
        return None
    if connection is None:
        return None
    with connection:
        socket.send_fds(connection, [b"."], STANDARD)
        request = {"environment": dict(os.environ), "folder": str(Path.cwd())}
        connection.sendall(json.dumps(request).encode() + b"\n")
        return int(connection.recv(1) != DONE)


def serve(
    address: str, keeper: psutil.Process, prepare: Callable[[], None], work: Callable[[], None]
) -> None:
    """Prepare, then fork for every publisher that connects, to do its work, until the keeper has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks: let no zombies stay
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()  # who connects from now on waits for the import to end
        try:
            prepare()
            while keeper.is_running() and keeper.status() != psutil.STATUS_ZOMBIE:
                ready, _, _ = select.select([listener], [], [], GLANCE)
                if ready:
                    connection, _ = listener.accept()
                    with connection:
                        if os.fork() == 0:
                            _become(connection, work)
        except psutil.NoSuchProcess:
            pass
        finally:
            Path(address).unlink(missing_ok=True)


def _connect() -> socket.socket | None:
    """Connect to the warm publisher, started if need be; None where nobody would keep it."""
    if address := os.environ.get(ADDRESS):
        return _call(address)
    keeper = _dvc()
    if keeper is None:
        return None
    address = str(_folder() / f"{keeper.pid}-{keeper.create_time():.0f}")
    with suppress(OSError):
        return _call(address)
    Path(address).unlink(missing_ok=True)
    subprocess.Popen(
        [sys.executable, "-m", "pipeline.tracking.publisher", "--serve", address, str(keeper.pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends stages, and this must still note that it did
    )
    until = time.monotonic() + START
    while time.monotonic() < until:
        time.sleep(0.02)
        with suppress(OSError):
            return _call(address)
    return None


def _call(address: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _dvc() -> psutil.Process | None:
    """Return the DVC that runs this publisher's stage: the stage's parent, or a shell's between them."""
    if "DVC_STAGE" in os.environ:
        for process in psutil.Process().parents()[1:4]:
            if "dvc" in (Path(part).name for part in process.cmdline()[:3]):
                return process
    return None


def _folder() -> Path:
    """Return a folder that only this user may enter; OSError where somebody else has made it."""
    folder = Path(tempfile.gettempdir()) / f"gradline-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder}: is not this user's alone")
    return folder


def _become(connection: socket.socket, work: Callable[[], None]) -> None:
    """Take the place of the publisher that connected: its pipes, environment and folder."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _, pipes, _, _ = socket.recv_fds(connection, 1, len(STANDARD))
        with connection.makefile("rb") as sent:
            request = json.loads(sent.readline())
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        for standard, pipe in zip(STANDARD, pipes, strict=True):
            os.dup2(pipe, standard)
            os.close(pipe)
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        work()
        connection.sendall(DONE)
    finally:
        os._exit(0)


def _end_with(connection: socket.socket) -> None:
    """End this process when the publisher that connected has ended: it was killed for taking too long."""
    connection.recv(1)
    os._exit(1)
