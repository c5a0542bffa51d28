"""A publisher that has imported MLflow already, for all the stages of one `make repro`.

The import takes seconds of a processor that training wants. So one process does it once, and forks for
every publisher that a stage starts: the publisher hands over its pipes and its environment, and waits.
A publisher that finds no such process imports MLflow itself.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

ADDRESS = "GRADLINE_PUBLISHER"
DONE = b"0"
STANDARD = [0, 1, 2]


@contextlib.contextmanager
def publisher() -> Iterator[dict[str, str]]:
    """Keep a warm publisher for as long as the block lasts; yield the environment that tells stages of it.

    It ends with this process, however that ends; runs that it is publishing then are completed.
    """
    with tempfile.TemporaryDirectory(prefix="gradline-") as folder:
        address = Path(folder) / "publisher"  # only this user may enter the folder
        server = subprocess.Popen(
            [sys.executable, "-m", "pipeline.tracking.publisher", "--serve", str(address)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends stages, and this must still note that it did
        )
        try:
            yield {ADDRESS: str(address)}
        finally:
            server.communicate()  # closes its stdin, by which it knows


def hand_over() -> int | None:
    """Let a warm publisher do this process's work; return the exit status, or None where there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.environ[ADDRESS])
            socket.send_fds(connection, [b"."], STANDARD)
            request = {"environment": dict(os.environ), "folder": str(Path.cwd())}
            connection.sendall(json.dumps(request).encode() + b"\n")
            return int(connection.recv(1) != DONE)
    except (KeyError, OSError):
        return None


def serve(address: str, prepare: Callable[[], None], work: Callable[[], None]) -> None:
    """Prepare, then fork for every publisher that connects, to do its work, until stdin closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks: let no zombies stay
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()  # who connects from now on waits for the import to end
        prepare()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    _become(connection, work)


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
