"""Processes that run one function at the same time, each as a rank, and add up arrays among them.

They are forked, so that whatever the function refers to is there without a copy. What they compute is each
one's own: they meet only where they add up.
"""

import mmap
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, ForkProcess
from multiprocessing.synchronize import Semaphore
from typing import Any, TypeVar

import numpy as np

from pipeline.errors import UserError, unforeseen

T = TypeVar("T")

# Not on macOS, where Apple's libraries, its BLAS among them, may crash in a process that was forked.
FORKS = sys.platform == "linux"
# Numbers that are added up at a time; more of them take several turns.
CAPACITY = 1 << 14
# How often a rank looks for the others, some 0.1 ms in all, before it lets the system wake it: that takes
# about as long, and most waits are shorter.
SPINS = 2000
# Seconds after which a rank that is still waiting asks what became of the others.
GLANCE = 0.5
# What the terminal, or whoever ends a process, sends to all ranks: rank 0 acts upon it, and ends the others.
SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Rank:
    """One of `size` processes, numbered from 0, the one that the others were forked from."""

    def __init__(
        self,
        number: int,
        slots: np.ndarray,
        returned: np.ndarray,
        arrivals: Sequence[Semaphore],
        require_others: Callable[[], None],
    ) -> None:
        """Take what all ranks share: see `run`."""
        self.number, self.size = number, len(arrivals)
        self._slots, self._returned, self._arrivals = slots, returned, arrivals
        self._require_others = require_others
        self._rounds = 0
        # Where ranks share a processor, who looks keeps the others from it.
        self._spins = SPINS if self.size <= len(os.sched_getaffinity(0)) else 0

    def all_reduce(self, array: np.ndarray) -> np.ndarray:
        """Replace a contiguous array by the sum over all ranks, to the same bits in each; return it.

        It is summed in float64. Every rank must call it as often, with arrays of the same sizes: where one
        returns while another waits for it, that is a RuntimeError. Raises ValueError for an array that isn't
        contiguous.
        """
        flat = array.reshape(-1, copy=False)
        for start in range(0, flat.size, CAPACITY):
            self._add_up(flat[start : start + CAPACITY])
        return array

    def returns(self) -> None:
        """Let the others know that this rank adds up no more."""
        self._returned[self.number] = self._rounds

    def _add_up(self, array: np.ndarray) -> None:
        # By turns in one of two places. To the first who completes a round, nobody is further: all arrivals
        # that it has heard of are of this round or before, hence everybody's. So all have written here, and
        # have read the other place, which is the next round's. Who completes it later may have counted the
        # next arrival of a quick one for that of a slow one, and finds all written nevertheless.
        slots = self._slots[self._rounds % 2, :, : array.size]
        self._rounds += 1
        slots[self.number] = array
        for number, arrival in enumerate(self._arrivals):
            if number != self.number:
                arrival.release()
        for _ in range(self.size - 1):
            self._wait()
        array[:] = slots.sum(axis=0)

    def _wait(self) -> None:
        arrival = self._arrivals[self.number]
        for _ in range(self._spins):
            if arrival.acquire(block=False):
                return
        while not arrival.acquire(timeout=GLANCE):
            self._require_others()
            for number, rounds in enumerate(self._returned):
                if 0 <= rounds < self._rounds:
                    raise RuntimeError(f"rank {number} has returned, and rank {self.number} waits for it")


def run(work: Callable[[Rank], T], size: int) -> list[T]:
    """Run `work` in this process and in size - 1 others; return what each returns, by rank.

    What one raises is raised here, and ends the others. Raises UserError where one of them was killed, or
    can't be started. They end with this process, however it ends.
    """
    fork: ForkContext = get_context("fork")
    with _starting(size):
        slots = np.frombuffer(mmap.mmap(-1, 2 * size * CAPACITY * 8)).reshape(2, size, CAPACITY)
        returned = np.frombuffer(mmap.mmap(-1, size * 8), np.int64)
        returned[:] = -1
        shared = slots, returned, [fork.Semaphore(0) for _ in range(size)]
    others: list[tuple[ForkProcess, Connection]] = []
    results: dict[ForkProcess, T] = {}

    def receive(timeout: float | None = 0) -> None:
        """Take what has come of the others; raise what one raised, or that it is lost."""
        ready = wait([pipe for process, pipe in others if process not in results], timeout)
        results.update({process: _result(process, pipe) for process, pipe in others if pipe in ready})

    try:
        for number in range(1, size):
            with _starting(size):
                pipe, sender = fork.Pipe(duplex=False)
                rank = Rank(number, *shared, _end_with(os.getpid()))
                process = fork.Process(target=_work, args=(work, rank, pipe, sender), daemon=True)
                process.start()
                others.append((process, pipe))
                sender.close()
        first = Rank(0, *shared, receive)
        own = work(first)
        first.returns()
        while len(results) < len(others):
            receive(timeout=None)
        return [own, *(results[process] for process, _ in others)]
    finally:
        for process, pipe in others:
            process.kill()
            process.join()
            pipe.close()


@contextmanager
def _starting(size: int) -> Iterator[None]:
    """Hold signals back, until a process has handlers of its own; UserError where the system refuses one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{size} processes that compute together can't be started: {error.strerror}; let them write to "
            "/dev/shm, and be so many, or set threads to 1 in params.yaml"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(work: Callable[[Rank], T], rank: Rank, pipe: Connection, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    pipe.close()  # so that nobody reads, and sending fails, where rank 0 is gone
    with suppress(BrokenPipeError):
        try:
            result = work(rank)
            rank.returns()
            sender.send((result, None))
        except Exception as error:
            sender.send((None, _that_travels(error)))


def _that_travels(error: Exception) -> Exception:
    """Return the error with the traceback that it has here, or one that says the same where it can't go."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(unforeseen(error))
    return error


def _result(process: ForkProcess, pipe: Connection) -> Any:
    """Return what a process returned, or raise what it raised; UserError where it was killed."""
    try:
        result, error = pipe.recv()
    except (EOFError, OSError):  # the latter where it ended in the middle of sending
        process.join()
        raise UserError(
            f"process {process.pid}, which computes with this one, has ended with status {process.exitcode}, "
            "as when it is killed or memory is short; run it again"
        ) from None
    if error is not None:
        raise error
    return result


def _end_with(parent: int) -> Callable[[], None]:
    """Return what ends this process where that which forked it has ended."""

    def require_parent() -> None:
        if os.getppid() != parent:
            os._exit(1)

    return require_parent
