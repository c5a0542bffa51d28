"""Where a run comes from: the commit, the DVC stage and experiment, the kind of machine, as tags."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pipeline import lock_file, machine
from pipeline.tracking import run_directory

LOCK = str(lock_file.PATH)
# What `make repro` writes its results into, besides.
PAGES = ("README.md", "docs/exercises")
GIT_SECONDS = 10
# Commits to look for a hash in with one call, so that the command line doesn't grow too long.
AT_ONCE = 500
DVC_TAGS = {
    "DVC_STAGE": "dvc.stage",
    "DVC_EXP_NAME": "dvc.exp.name",
    "DVC_EXP_BASELINE_REV": "dvc.exp.baseline_rev",
}

Tags = dict[str, str]


def of_this_process() -> Tags:
    """Return the tags of a run that is being made: by the commit that is checked out, in DVC's stage."""
    tags = {tag: os.environ[name] for name, tag in DVC_TAGS.items() if os.environ.get(name)} | _machine()
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {**tags, "git.commit.source": "unknown"}
    return {**tags, **_commit(commit, "HEAD"), "git.dirty": _dirty()}


def of_stored(directory: Path) -> Tags:
    """Return the tags of a run that only its directory tells of: by the commit whose dvc.lock holds it."""
    digest = dvc_hash(directory)
    output = Path(os.path.relpath(directory)).as_posix()
    tags = _commit(commit, LOCK) if (commit := _commit_with(digest)) else {"git.commit.source": "unknown"}
    for name, stage in stages().items():
        if lock_file.File(path=output, md5=digest) in stage.outs:
            tags["dvc.stage"] = name
    return tags


def dvc_hash(directory: Path) -> str:
    """Return the hash by which DVC knows a directory: the MD5 of the list of its files and their MD5."""
    entries = [
        {
            "md5": hashlib.md5((directory / name).read_bytes(), usedforsecurity=False).hexdigest(),
            "relpath": name,
        }
        for name in run_directory.files(directory)
    ]
    listing = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"


def _commit(commit: str, source: str) -> Tags:
    # MLflow's own tag is the one that its UI shows and links.
    return {"git.commit": commit, "git.commit.source": source, "mlflow.source.git.commit": commit}


def _commit_with(digest: str) -> str | None:
    """Return the newest commit that wrote this hash into dvc.lock: of HEAD's history, else of any branch.

    Only commits that changed dvc.lock count: a later one may have changed the code without running it.
    """
    for scope in ("HEAD", "--all"):
        commits = _git("rev-list", scope, "--", LOCK).split()
        for start in range(0, len(commits), AT_ONCE):
            found = _git("grep", "-l", "-F", "-e", digest, *commits[start : start + AT_ONCE], "--", LOCK)
            if found:
                return found.split(":", 1)[0]
    return None


def _machine() -> Tags:
    """Return what decides the bits besides code and data: the processor, the BLAS, and the stage's threads.

    This process has the stage's processor and environment, in which the stage's launcher sets the threads.
    """
    kind = machine.kind()
    return {
        "processor": kind["processor"],
        "blas.architecture": kind["architecture"],
        "blas.threads": os.environ.get("OMP_NUM_THREADS", str(kind["threads"])),
    }


def _dirty() -> str:
    """Say whether anything but what DVC and `make repro` write differs from the commit."""
    changed = _changed(_all_but(LOCK, "results", *PAGES))
    if changed:  # only then: to read dvc.lock takes longer than to ask git
        changed = _changed(all_but_outputs())
    return "true" if changed else "false"


def all_but_outputs() -> list[str]:
    """Return, as git's pathspec, everything but what the pipeline writes: dvc.lock, outputs and pages."""
    outputs = (out.path for stage in stages().values() for out in stage.outs)
    return _all_but(LOCK, "results", *PAGES, *outputs)


def _all_but(*written: str) -> list[str]:
    return [".", *(f":(exclude,literal){path}" for path in dict.fromkeys(written))]


def _changed(pathspec: list[str]) -> str:
    return _git("status", "--porcelain", "--untracked-files=normal", "--", *pathspec)


def stages() -> Mapping[str, lock_file.Stage]:
    """Return the stages in dvc.lock, by name; none where it can't be read."""
    try:
        return lock_file.stages(lock_file.PATH.read_bytes())
    except (OSError, ValueError):
        return {}


def _git(*arguments: str) -> str:
    """Return what git prints; nothing where it fails, as without git or without a repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
