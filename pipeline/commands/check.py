"""What `dvc repro` needs before it begins: parameters that are right, and a repository that DVC accepts."""

import subprocess
import sys
from pathlib import Path

from pipeline.errors import UserError
from pipeline.params import whole


def check(root: Path) -> None:
    """Raise UserError in one line where either is missing; nothing is run or written."""
    whole.load()
    if (root / ".dvc").is_dir() and not _in_git(root) and not _does_without_git(root):
        raise UserError(
            f"{root}: not a git repository, which DVC asks for; "
            "`dvc config --local core.no_scm true` lets it do without"
        )


def _in_git(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _does_without_git(root: Path) -> bool:
    """Ask DVC, which takes a second, whether it is set to do without; it answers without git, too."""
    asked = subprocess.run(
        [sys.executable, "-m", "dvc", "config", "core.no_scm"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() == "true"
