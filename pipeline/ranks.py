"""Processes that run one function at the same time, each as a rank, and add up arrays among them.

They are forked, so that whatever the function refers to is there without a copy; and they share nothing but
what they add up, so that none waits for a lock, or for a cache line, of another's.
"""

import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, ForkProcess
from multiprocessing.synchronize import Semaphore
from typing import Any, TypeVar

import numpy as np

from pipeline.errors import UserError

T = TypeVar("T")

# Not on macOS, where Apple's libraries, its BLAS among them, may crash in a process that was forked.
FORKS = sys.platform == "linux"
# Numbers that are added up at a time: scores of ten classes for more samples than are ever scored at once.
CAPACITY = 1 << 14
# How often a rank looks for the others, some 0.2 ms in all, before it lets the system wake it: that takes as
# long, and most waits are shorter.
SPINS = 2000
# Seconds after which a rank that is still waiting asks whether the others are there.
GLANCE = 0.5


class Rank:
    """One of `size` processes, numbered from 0, the one that the others were forked from."""

    def __init__(
        self,
        number: int,
        slots: np.ndarray,
        arrived: Sequence[Sequence[Semaphore]],
        require_others: Callable[[], None],
    ) -> None:
        """Take what the ranks share: see `run`."""
        self.number, self.size = number, slots.shape[1]
        self._slots, self._arrived, self._require_others = slots, arrived, require_others
        self._round = 0
        # Where ranks share a processor, who looks keeps the others from it.
        self._spins = SPINS if self.size <= len(os.sched_getaffinity(0)) else 0

    def all_reduce(self, array: np.ndarray) -> np.ndarray:
        """Replace a contiguous array by the sum over all ranks, to the same bits in each; return it.

        Every rank must call it as often, with arrays of the same sizes. Raises ValueError for an array that
        isn't contiguous.
        """
        flat = array.reshape(-1, copy=False)
        for start in range(0, flat.size, CAPACITY):
            self._add_up(flat[start : start + CAPACITY])
        return array

    def _add_up(self, array: np.ndarray) -> None:
        # By turns in one of two places. Who comes back to one has heard from all the others that they have
        # begun with the other, so that nobody still reads it.
        turn = self._round % 2
        self._round += 1
        slots, arrived = self._slots[turn, :, : array.size], self._arrived[turn]
        slots[self.number] = array
        for number in range(self.size):
            if number != self.number:
                arrived[number].release()
        for _ in range(self.size - 1):
            self._wait(arrived[self.number])
        array[:] = slots.sum(axis=0)

    def _wait(self, arrival: Semaphore) -> None:
        for _ in range(self._spins):
            if arrival.acquire(block=False):
                return
        while not arrival.acquire(timeout=GLANCE):
            self._require_others()


def run(work: Callable[[Rank], T], size: int) -> list[T]:
    """Run `work` in this process and in size - 1 others; return what each returns, by rank.

    What one raises is raised here, and ends the others. Raises UserError where one of them was killed. They
    end with this process, however it ends.
    """
    fork: ForkContext = get_context("fork")
    slots = np.frombuffer(mmap.mmap(-1, 2 * size * CAPACITY * 8)).reshape(2, size, CAPACITY)
    arrived = [[fork.Semaphore(0) for _ in range(size)] for _ in range(2)]
    others: list[tuple[ForkProcess, Connection]] = []

    def require_others() -> None:
        for process, results in others:
            if results.poll():  # its result, its error, or that it is gone
                _result(process, results)
                raise RuntimeError(f"process {process.pid} is done, and this one waits for it")

    try:
        for number in range(1, size):
            results, sender = fork.Pipe(duplex=False)
            rank = Rank(number, slots, arrived, _end_with(os.getpid()))
            process = fork.Process(target=_work, args=(work, rank, results, sender), daemon=True)
            process.start()
            sender.close()
            others.append((process, results))
        returned = [work(Rank(0, slots, arrived, require_others))]
        return [*returned, *(_result(*other) for other in others)]
    finally:
        for process, results in others:
            process.kill()
            process.join()
            results.close()


def _work(work: Callable[[Rank], T], rank: Rank, results: Connection, sender: Connection) -> None:
    # Ctrl-C, and a signal to the stage, are rank 0's to act upon; it ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    results.close()  # is the parent's to read: where that is gone, nobody does, and sending fails
    with suppress(BrokenPipeError):
        try:
            sender.send(work(rank))
        except Exception as error:
            sender.send(error)


def _result(process: ForkProcess, results: Connection) -> Any:
    """Return what a process returned, or raise what it raised; UserError where it was killed."""
    try:
        result = results.recv()
    except EOFError:
        process.join()
        raise UserError(
            f"process {process.pid}, which computes with this one, has ended with status {process.exitcode}, "
            "as when it is killed or memory is short; run it again"
        ) from None
    if isinstance(result, Exception):
        raise result
    return result


def _end_with(parent: int) -> Callable[[], None]:
    """Return what ends this process where that which forked it has ended."""

    def require_parent() -> None:
        if os.getppid() != parent:
            os._exit(1)

    return require_parent
