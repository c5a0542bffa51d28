"""The programs and libraries that the pipeline takes."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PROGRAMS = {
    "git": "DVC takes it",
    "make": "the targets of the Makefile take it",
    "npm": "fetch takes it where no mirror answers",
}
LOCKED = Path("requirements/runtime.txt")
SECONDS = 30
PIN = re.compile(r"^([\w.-]+)==([^\s;+]+)", re.MULTILINE)


def programs() -> Iterator[str]:
    """Yield a line for each program that isn't installed."""
    for name, why in PROGRAMS.items():
        if not shutil.which(name):
            yield f"{name}: is not installed, and {why}; install it with your system's packages"


def libraries() -> Iterator[str]:
    """Yield a line for each locked library that isn't there in that version: other bits may come out."""
    if not LOCKED.exists():
        yield f"{LOCKED}: is missing; `git checkout {LOCKED}`"
    for name, wanted, found in other_versions(LOCKED):
        there = f"version {found} is installed" if found else "is not installed"
        yield f"{name}: {there}, {LOCKED} has {wanted}; `make setup`"


def other_versions(lock: Path) -> Iterator[tuple[str, str, str | None]]:
    """Yield each library that isn't installed as a lock file has it, that version, and the one installed."""
    pins = lock.read_text(encoding="utf-8") if lock.exists() else ""
    for name, wanted in PIN.findall(pins):
        found = _version(name)
        # A local part says how it was built, as in 2.13.0+cpu.
        if found is None or found.partition("+")[0] != wanted:
            yield name, wanted, found


def call(*command: str) -> str:
    """Return what a program prints; nothing where it fails or isn't there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
