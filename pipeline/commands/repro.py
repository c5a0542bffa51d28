"""`dvc repro` with one import of MLflow for all stages."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.tracking import warm


def repro(arguments: Sequence[str]) -> int:
    """Run `dvc repro` with these arguments; return its exit status."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with warm.publisher() as where:
        # Ctrl-C reaches DVC and its stage too: what they do then is waited for. SIGTERM is passed on.
        signal.signal(signal.SIGINT, lambda number, frame: None)
        command = [sys.executable, "-m", "dvc", "repro", *arguments]
        dvc = subprocess.Popen(command, env={**os.environ, **where, "PATH": programs})
        signal.signal(signal.SIGTERM, lambda number, frame: dvc.terminate())
        return dvc.wait()
