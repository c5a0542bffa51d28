"""The warm publisher lives as long as the command that keeps it, and nobody depends on it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.tracking import warm

ROOT = Path(warm.__file__).resolve().parents[2]


def servers(address: str) -> list[int]:
    """The processes that serve this address."""
    found = subprocess.run(
        ["pgrep", "-f", f"[-]-serve {address}"], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def test_it_ends_with_the_block_and_leaves_no_file():
    with warm.publisher() as environment:
        address = environment[warm.ADDRESS]
        assert servers(address)
    assert not servers(address)
    assert not Path(address).parent.exists()


def test_it_ends_with_a_keeper_that_is_killed():
    keeper = f"""
import time
from pipeline.tracking import warm
with warm.publisher() as environment:
    print(environment["{warm.ADDRESS}"], flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", keeper],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 15
    while servers(address):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("address", [None, "/nowhere/publisher"])
def test_without_one_a_publisher_does_its_work_itself(address, monkeypatch):
    monkeypatch.delenv(warm.ADDRESS, raising=False)
    if address:
        monkeypatch.setenv(warm.ADDRESS, address)
    assert warm.hand_over() is None


def test_it_has_no_threads_when_it_forks():
    # A thread may hold a lock that its copy in the fork would wait for, for ever.
    program = """
import threading
from pipeline.tracking import publisher
publisher._import()
print(threading.active_count())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
