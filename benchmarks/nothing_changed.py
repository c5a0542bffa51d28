"""`dvc repro` with nothing changed, beside a pipeline of `true` with the same files and parameters."""

import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.processes import ROOT, Spread, in_turn, run

REPETITIONS = 5
REPRO = ["-m", "dvc", "repro", "--quiet"]


def measure(folder: Path) -> dict[str, Any]:
    """Return seconds of both, and their ratio."""
    bare = _bare(folder)
    found = in_turn(
        {"ours": partial(_seconds, ROOT), "stages of `true`": partial(_seconds, bare)}, REPETITIONS
    )
    rows = {name: Spread.of(seconds) for name, seconds in found.items()}
    return {
        "rows": {name: spread.as_json() for name, spread in rows.items()},
        "ratio": rows["ours"].median / rows["stages of `true`"].median,
    }


def _seconds(repository: Path) -> float:
    return run(REPRO, cwd=repository)[0]


def _bare(folder: Path) -> Path:
    """Copy the repository with its outputs, every command replaced by `true`, and commit its stages."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for made in ("data", "results"):
        shutil.copytree(ROOT / made, folder / made, dirs_exist_ok=True)
    yaml = YAML()
    definition = yaml.load(folder / "dvc.yaml")
    for stage in definition["stages"].values():
        stage.get("do", stage)["cmd"] = "true"
    yaml.dump(definition, folder / "dvc.yaml")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    run(["-m", "dvc", "commit", "--force", "--quiet"], cwd=folder)
    return folder
