"""Stages run again in a temporary clone: a commit of this repository, elsewhere, from nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError

# Nothing of the user's surroundings may matter; the cache of downloads only spares the network.
SURROUNDINGS = {"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "GRADLINE_TRACKING": "off"}


@contextmanager
def of_commit(repository: Path, commit: str) -> Iterator[Path]:
    """Yield a clone in which the commit is checked out; it is removed when the block is left.

    Any commit will do that the repository has, on a branch or not. UserError where git fails.
    """
    with tempfile.TemporaryDirectory(prefix="gradline clone ") as scratch:
        clone = Path(scratch) / "clone"
        call("git", "clone", "--quiet", "--no-checkout", str(repository), str(clone), cwd=repository)
        call("git", "checkout", "--quiet", "--detach", commit, cwd=clone)
        yield clone


def repro(clone: Path, *arguments: str, quiet: bool = False) -> "subprocess.CompletedProcess[str]":
    """Run `dvc repro` in a clone with none of the user's surroundings; `quiet` keeps what it says."""
    # DVC's own variables would point this run at the pipeline that started it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    programs = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")])
    # What DVC remembers of files is unpickled. Nobody else may enter the clone's temporary folder.
    private = {"DVC_SITE_CACHE_DIR": str(clone.parent / "site-cache")}
    return subprocess.run(
        [sys.executable, "-m", "dvc", "repro", *arguments],
        cwd=clone,
        env={**inherited, "PATH": programs, **SURROUNDINGS, **private},
        capture_output=quiet,
        text=True,
        check=False,
    )


def head(repository: Path) -> str:
    """Return the commit that is checked out; UserError outside a git repository."""
    return call("git", "rev-parse", "HEAD", cwd=repository)


def call(*command: str, cwd: Path) -> str:
    """Run a command and return what it printed; UserError with its last line where it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(f"{command[0]}: is not installed") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(f"`{' '.join(command[:4])}` failed: {said[-1] if said else done.returncode}")
    return done.stdout.strip()
