"""A stage ends with the DVC that runs it, and no two processes run the same stage in the same place.

Otherwise a stage that outlives its DVC would go on writing what the next `dvc repro` writes as well.
"""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipeline.errors import UserError

# Seconds after which a stage notices that its DVC is gone.
GLANCE = 0.5
# How long it then has to end by itself.
GRACE = 10.0
# How long a stage waits for the same stage in another process: one that is ending, most likely.
PATIENCE = 15.0
DVC = Path(".dvc")
LOCKS = DVC / "tmp/stages"


def end_with_dvc() -> None:
    """Have this process ended, as by SIGTERM, when the DVC that started it has ended; not so by hand.

    Raises UserError where it has ended already.
    """
    if not os.environ.get("DVC_STAGE"):
        return
    ancestors = _ancestors()
    if ancestors[-1] == 1 and b"dvc" not in b" ".join(_command(1)):
        raise UserError("the DVC that started this stage has ended; run `dvc repro` again")
    threading.Thread(target=_watch, args=(ancestors,), daemon=True).start()


@contextmanager
def alone(arguments: Sequence[str]) -> Iterator[None]:
    """Run the block while no other process runs the stage of these arguments in this repository.

    Raises UserError that names the other process where that doesn't end within PATIENCE.
    """
    with _lock_file("-".join(arguments)) as file:
        if file:
            _acquire(file, " ".join(arguments))
        yield


@contextmanager
def _lock_file(name: str) -> Iterator[IO[str] | None]:
    """Open the stage's lock file; None where DVC has no place for one. It stays: only its lock counts."""
    if not DVC.is_dir():
        yield None
        return
    LOCKS.mkdir(parents=True, exist_ok=True)
    with (LOCKS / f"{name.replace(os.sep, '_')}.lock").open("a+") as file:
        yield file


def _acquire(file: IO[str], stage: str) -> None:
    """Lock the file, until this process and those that it forks have ended, and note in it whose it is."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > until:
                raise UserError(_refusal(file, stage)) from None
            time.sleep(0.1)
        except OSError:
            return  # a file system without locks
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()


def _refusal(file: IO[str], stage: str) -> str:
    file.seek(0)
    other = file.read() or "another"
    return f"stage {stage}: process {other} is running it here; let it end, or end it, and try again"


def _watch(ancestors: tuple[int, ...]) -> None:
    while _ancestors() == ancestors:
        time.sleep(GLANCE)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)


def _ancestors() -> tuple[int, ...]:
    """Return this process's parent, and the parent's as long as that is but a shell for this command.

    Most shells put the command in their own place. A process whose parent has ended gets another one.
    """
    found = [os.getppid()]
    while _is_shell(found[-1]) and (parent := _parent(found[-1])):
        found.append(parent)
    return tuple(found)


def _is_shell(process: int) -> bool:
    words = _command(process)
    return b"-c" in words and any(b"pipeline.stages" in word for word in words)


def _command(process: int) -> list[bytes]:
    """Return a process's command line; nothing where Linux's /proc doesn't tell."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    return []


def _parent(process: int) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return None
