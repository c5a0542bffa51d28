"""What a run was made from that no commit holds: the changes of a dirty tree, kept with it as a patch."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.tracking import lineage
from pipeline.tracking.quiet_mlflow import MlflowClient

ARTIFACT = "patch.diff"
# Bytes: of the files that changed, and of the patch.
LARGEST = 10_000_000
# Seconds for all of it. The stage trains meanwhile, but when it ends it waits for its publisher.
SECONDS = 2.0

Git = Callable[..., bytes]


@dataclass(frozen=True)
class Patch:
    """The changes as `git apply` takes them, or why they are missing."""

    content: bytes = b""
    missing: str = ""

    @property
    def tags(self) -> lineage.Tags:
        """What the run says of it: only why it is missing, since the artifact speaks for itself."""
        return {"git.patch": f"not stored: {self.missing}"} if self.missing else {}


def take() -> Patch:
    """Return what differs from the commit in the working tree, but for what DVC writes; nothing is raised.

    Files that git neither tracks nor ignores belong to it. The index and the objects of the repository
    stay as they are: git works on a copy of the one, and writes the others elsewhere.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return Patch(_taken(Path(scratch)))
        except subprocess.TimeoutExpired:
            return Patch(missing=f"git takes longer than {SECONDS:.0f} s")
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            return Patch(missing=f"git: {said[-1] if said else error.returncode}")
        except (OSError, ValueError) as error:
            return Patch(missing=str(error))


def log(client: MlflowClient, run_id: str, patch: Patch) -> None:
    """Store the patch, where there is one, as an artifact of the run."""
    if patch.content:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / ARTIFACT
            path.write_bytes(patch.content)
            client.log_artifact(run_id, str(path))


def _taken(scratch: Path) -> bytes:
    git = _git_apart(scratch)
    changes = ("--", *lineage.all_but_outputs())
    # An entry that ends with a slash is a repository of its own, which no patch can hold.
    listed = git("ls-files", "-z", "--modified", "--others", "--exclude-standard", *changes).split(b"\0")
    files = [name for name in listed if name and not name.endswith(b"/")]
    _refuse_large("the changed files", sum(map(_size, files)))
    fed = b"".join(name + b"\0" for name in files)
    git("update-index", "-z", "--add", "--remove", "--replace", "--stdin", fed=fed)
    # Unlike `git diff`, it heeds no setting of the user's that would change what a patch looks like.
    plain = ("--cached", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")
    patch = git("diff-index", *plain, "HEAD", *changes)
    _refuse_large("the patch", len(patch))
    if not patch:
        raise ValueError("git finds no change that a patch could hold")
    return patch


def _git_apart(scratch: Path) -> Git:
    """Return a function that runs git on a copy of the index; together, its calls have SECONDS."""
    until = time.monotonic() + SECONDS

    def git(*arguments: str, fed: bytes = b"") -> bytes:
        left = max(0.0, until - time.monotonic())
        command = ["git", *arguments]
        done = subprocess.run(
            command, input=fed, capture_output=True, timeout=left, check=True, env=environment
        )
        return done.stdout

    environment = dict(os.environ)
    found = git("rev-parse", "--git-path", "index", "--git-path", "objects").splitlines()
    index, objects = (Path(os.fsdecode(path)).resolve() for path in found)
    # With its times: git tells by them which files it must look into.
    shutil.copy2(index, scratch / "index")
    (scratch / "objects").mkdir()
    environment |= {
        "GIT_INDEX_FILE": str(scratch / "index"),
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
    }
    return git


def _size(name: bytes) -> int:
    """Return the size of a file; 0 of one that is deleted."""
    try:
        return os.lstat(name).st_size
    except FileNotFoundError:
        return 0


def _refuse_large(what: str, size: int) -> None:
    if size > LARGEST:
        raise ValueError(f"{what}: {size / 1e6:.1f} MB, at most {LARGEST / 1e6:.0f} MB are kept")
