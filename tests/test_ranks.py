"""Processes that compute together: what they add up, what each leaves, and how they end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from pipeline import ranks
from pipeline.errors import UserError
from pipeline.ranks import Rank

pytestmark = pytest.mark.skipif(not ranks.FORKS, reason="one process computes here")
REPOSITORY = Path(ranks.__file__).parents[1]
# Seconds that a test may take: what never ends is a fault too.
LONGEST = 40


@pytest.fixture(autouse=True)
def all_end():
    def too_long(number: int, frame: object) -> NoReturn:
        raise TimeoutError(f"not done after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1,), (128, 10), (2 * ranks.CAPACITY + 1,)])
def test_a_sum_over_the_ranks_is_the_same_to_the_bit_in_each(size, dtype, shape):
    given = [np.random.default_rng(number).standard_normal(shape).astype(dtype) for number in range(size)]

    def add_up(rank: Rank) -> np.ndarray:
        array = given[rank.number].copy()
        assert rank.all_reduce(array) is array
        return array

    found = ranks.run(add_up, size)
    assert len(found) == size
    for each in found:
        assert each.dtype == dtype
        np.testing.assert_array_equal(each, found[0])
        np.testing.assert_allclose(each, sum(given), rtol=10 * np.finfo(dtype).eps, atol=1e-6)


def test_an_array_that_is_not_contiguous_is_refused():
    with pytest.raises(ValueError, match="copy"):
        ranks.run(lambda rank: rank.all_reduce(np.ones((4, 4))[:, :2]), 1)


def test_no_sum_is_mistaken_for_another_however_far_one_rank_falls_behind():
    def add_up(rank: Rank) -> list[float]:
        found = []
        for turn in range(200):
            if turn % 3 == rank.number:
                time.sleep(0.001)
            found.append(float(rank.all_reduce(np.array([10.0**rank.number * turn]))[0]))
        return found

    assert ranks.run(add_up, 3) == [[111.0 * turn for turn in range(200)]] * 3


def test_a_wait_that_is_longer_than_a_glance_ends_too():
    def late(rank: Rank) -> float:
        if rank.number == 1:
            time.sleep(2 * ranks.GLANCE)
        return float(rank.all_reduce(np.ones(1))[0])

    assert ranks.run(late, 2) == [2.0, 2.0]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("failing", [0, 1])
def test_what_a_rank_raises_is_raised_though_others_wait_for_it(failing, size):
    def fail(rank: Rank) -> None:
        if rank.number == failing:
            raise ArithmeticError(f"of {rank.number}")
        rank.all_reduce(np.ones(1))

    with pytest.raises(ArithmeticError, match=f"of {failing}"):
        ranks.run(fail, size)


def test_an_error_brings_its_traceback_and_one_that_cannot_travel_its_words(capfd):
    class LocalError(Exception):
        """Defined in a function, where pickle doesn't find it."""

    def misplaced(rank: Rank, kind: type[Exception]) -> None:
        if rank.number == 1:
            raise kind("two\nlines")

    with pytest.raises(ArithmeticError) as told:
        ranks.run(lambda rank: misplaced(rank, ArithmeticError), 2)
    assert "in misplaced" in told.value.__notes__[0]
    with pytest.raises(RuntimeError, match="^LocalError: two lines; "):
        ranks.run(lambda rank: misplaced(rank, LocalError), 2)
    assert capfd.readouterr() == ("", "")


def test_an_error_may_be_returned():
    found = ranks.run(lambda rank: ValueError(rank.number), 2)
    assert [str(each) for each in found] == ["0", "1"]


@pytest.mark.parametrize("waiting", [True, False])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_rank_that_is_killed_is_named_with_the_remedy(waiting, number):
    def die(rank: Rank) -> None:
        if rank.number == 1:
            os.kill(os.getpid(), number)
        if waiting:
            rank.all_reduce(np.ones(1))

    said = rf"process \d+, which computes with this one, .* -{number}, .*; run it again"
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # as a stage has it
    try:
        with pytest.raises(UserError, match=said):
            ranks.run(die, 2)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_rank_that_is_killed_while_it_sends_is_named_too():
    def send(rank: Rank) -> np.ndarray:
        if rank.number == 0:
            time.sleep(0.3)
            [other] = multiprocessing.active_children()
            other.kill()
        return np.zeros(1_000_000)  # more than a pipe takes while nobody reads

    with pytest.raises(
        UserError, match=r"process \d+, which computes with this one, .* -9, .*; run it again"
    ):
        ranks.run(send, 2)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("early", [0, 1])
def test_a_rank_that_returns_while_another_waits_for_it_is_a_fault(early, size):
    def out_of_step(rank: Rank) -> None:
        rank.all_reduce(np.ones(1))
        if rank.number != early:
            rank.all_reduce(np.ones(1))

    with pytest.raises(RuntimeError, match=rf"rank {early} has returned, and rank \d waits for it"):
        ranks.run(out_of_step, size)


@pytest.mark.parametrize(("processors", "looks"), [(2, ranks.SPINS), (1, 0)])
def test_ranks_look_for_each_other_only_where_each_has_a_processor(monkeypatch, processors, looks):
    class Late:
        """Somebody's arrival, which has to be waited for."""

        looks = 0

        def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
            self.looks += not block
            return block

        def release(self) -> None: ...

    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(processors)))
    arrivals = [Late(), Late()]
    rank = Rank(0, np.zeros((2, 2, 1)), np.full(2, -1), arrivals, lambda: None)
    assert rank.all_reduce(np.ones(1)) == 1.0
    assert arrivals[0].looks == looks


PROGRAM = """
import os, sys, time
import numpy as np
from pipeline import ranks

def work(rank):
    os.write(1, b"1\\n")  # at once, so that no other writes into its middle
    if "send" in sys.argv and rank.number:
        return np.zeros(1_000_000)  # more than a pipe takes while nobody reads
    if "send" in sys.argv:
        time.sleep(60)
    while True:
        rank.all_reduce(np.ones(1))

ranks.run(work, 3)
"""


@contextmanager
def program(doing: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the program in a session of its own; its ranks are at work when the block begins."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, doing],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for _ in range(3):
            process.stdout.readline()
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("doing", ["reduce", "send"])
def test_the_others_end_with_the_process_that_forked_them(doing):
    with program(doing) as process:
        time.sleep(0.2)
        process.kill()
        # The pipes end with the last process that holds them.
        assert process.communicate(timeout=30)[1] == ""


def test_ctrl_c_is_rank_0s_to_act_upon():
    def interrupted(rank: Rank) -> float:
        if rank.number == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return float(rank.all_reduce(np.ones(1))[0])

    assert ranks.run(interrupted, 2) == [2.0, 2.0]


def test_ctrl_c_ends_all_of_them_without_a_word_of_the_others():
    with program("reduce") as process:
        os.killpg(process.pid, signal.SIGINT)
        err = process.communicate(timeout=30)[1]
    assert err.count("Traceback") == 1  # this program's own: a stage catches it
    assert err.endswith("KeyboardInterrupt\n")
