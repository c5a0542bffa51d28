"""Commands as processes in a folder of their own, and the most memory that they held."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.repositories import REPOSITORY, surroundings

# What anything that fails may take.
SECONDS = 30
# The system counts the memory of whoever starts a process as that process's own: so it isn't these tests.
LAUNCH = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[2:], stdout=sys.stderr, timeout=float(sys.argv[1]))
print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended, what it said, and the most memory it held, in MB."""

    status: int
    said: str
    peak: float

    @property
    def refusal(self) -> str:
        """The one line of a command that was refused, without a traceback."""
        assert self.status > 0, self.said
        assert "Traceback" not in self.said
        [line] = [line for line in self.said.splitlines() if line.startswith("error: ")]
        return line.removeprefix("error: ")


def stage(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Run a stage in a folder; it must end in the time that anything may take."""
    return module("pipeline.stages", folder, *arguments, **environment)


def module(name: str, folder: Path, *arguments: str, seconds: float = SECONDS, **environment: str) -> Ended:
    """Run a module of the repository's in a folder."""
    quiet = {"GRADLINE_TRACKING": "off", "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(REPOSITORY)}
    launched = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(seconds), sys.executable, "-m", name, *arguments],
        cwd=folder,
        env={**surroundings(), **quiet, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr
    status, kilobytes = launched.stdout.split()
    return Ended(int(status), launched.stderr, int(kilobytes) / 1024)
