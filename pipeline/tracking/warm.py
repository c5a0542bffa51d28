"""A publisher that has imported MLflow already, for all stages that run at about the same time.

The import takes seconds of a processor that training wants. So one process does it once, and forks for
every publisher that a stage starts: the publisher hands over its pipes and its environment, and waits.
The first publisher starts it, and it ends when nobody has needed it for a while. Wherever this fails,
a publisher imports MLflow itself.
"""

import fcntl
import hashlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds for the process to start; it listens before it imports anything that takes long.
START = 3.0
# Seconds between two looks at who has come, who has gone and what there is to say.
GLANCE = 0.5
# Seconds that it waits, when it has nothing to do, for the next publisher: on a slow machine over ten pass
# from one stage's end to where the next has imported what it takes.
LINGER = 20.0
# Variables that act on a process when it starts: what comes later, a fork takes over from its publisher.
AT_START = ("LD_", "PYTHON", "LANG", "LC_", "TZ", "FAKETIME")
PACKAGE = Path(__file__).resolve().parents[1]
# What a process sees of processes, files and network: in a container other ones, with the same /tmp perhaps.
NAMESPACES = Path("/proc/self/ns")
BEGUN, DONE = b"1", b"0"
STANDARD = [0, 1, 2]


def hand_over(wait: Callable[[], None]) -> int | None:
    """Let a warm publisher do this process's work; return the exit status, or None where there is none.

    `wait` is called every now and then while that one isn't ready.
    """
    try:
        connection = _connect()
    except OSError:
        return None
    with connection:
        socket.send_fds(connection, [b"."], STANDARD)
        request = {"environment": dict(os.environ), "folder": str(Path.cwd())}
        connection.sendall(json.dumps(request).encode() + b"\n")
        while not select.select([connection], [], [], GLANCE)[0]:
            wait()
        return int(connection.recv(1) != BEGUN or connection.recv(1) != DONE)


def serve(address: str, prepare: Callable[[], None], work: Callable[[], None]) -> None:
    """Prepare, then fork for every publisher that connects, to do its work, until LINGER idle seconds."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()  # who connects from now on waits for the import to end
        try:
            prepare()
            forks, idle = 0, time.monotonic()
            while forks or time.monotonic() - idle < LINGER:
                forks += _fork_for_one(listener, GLANCE, work)
                if forks:
                    forks -= _ended()
                    idle = time.monotonic()
        finally:
            Path(address).unlink(missing_ok=True)
        while _fork_for_one(listener, 0, work):
            pass  # who connected in the last moment


def _fork_for_one(listener: socket.socket, seconds: float, work: Callable[[], None]) -> bool:
    """Fork for a publisher that connects within these seconds; say whether there was one."""
    if not select.select([listener], [], [], seconds)[0]:
        return False
    connection, _ = listener.accept()
    with connection:
        if os.fork() == 0:
            listener.close()  # who connects when the parent has been killed must not wait for this one
            _become(connection, work)
    return True


def _ended() -> int:
    """Return how many forks have ended since the last time."""
    ended = 0
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            ended += 1
    return ended


def _connect() -> socket.socket:
    """Connect to the warm publisher, started if need be; OSError where that fails."""
    folder = _folder()
    address = str(folder / _code_and_surroundings())
    with suppress(OSError):
        return _call(address)
    with _alone_in(folder):
        with suppress(OSError):
            return _call(address)  # another publisher has started it meanwhile
        Path(address).unlink(missing_ok=True)
        return _start(address)


def _start(address: str) -> socket.socket:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.tracking.publisher", "--serve", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends stages, and this must still note that it did
    )
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
        with suppress(OSError):
            return _call(address)
    raise TimeoutError(f"{address}: nobody listens")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Run the block while no other process of this user's is in it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _code_and_surroundings() -> str:
    """Return a digest of what makes two publishers work differently, besides what a fork takes over."""
    changed = max(file.stat().st_mtime_ns for file in PACKAGE.rglob("*.py"))
    variables = {name: value for name, value in os.environ.items() if name.startswith(AT_START)}
    seen = sorted(str(each.readlink()) for each in NAMESPACES.iterdir()) if NAMESPACES.exists() else []
    told = json.dumps([sys.executable, str(PACKAGE), changed, variables, seen], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _call(address: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


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
        connection.sendall(BEGUN)
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
