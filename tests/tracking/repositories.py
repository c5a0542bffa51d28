"""Git in the repository of a test."""

import subprocess
from pathlib import Path


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(**files: str) -> str:
    for name, text in files.items():
        Path(name.replace("_", ".")).write_text(text)
    git("add", "-A")
    git("commit", "-qm", "change")
    return git("rev-parse", "HEAD")
