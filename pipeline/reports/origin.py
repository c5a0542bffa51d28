"""Where the files of a report come from: the commit, the data's digests, the machine, the libraries."""

import hashlib
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import lock_file, machine
from pipeline.lock_file import File, Stage
from pipeline.reports import inputs, reading
from pipeline.tracking import lineage

PARAMS = Path("params.yaml")
REQUIREMENTS = Path("requirements/runtime.txt")
DATA_STAGES = ("fetch", "normalize")
# The stage whose dependency params.yaml is as a whole.
CHECKING = "check_params"
LIBRARIES = (
    *("numpy", "scipy", "torch", "scikit-learn", "pandas", "matplotlib"),
    *("dvc", "mlflow", "pydantic", "safetensors"),
)


@dataclass(frozen=True)
class Commit:
    """The commit that is checked out, and whether the files differ from it; "" where there is no git."""

    hash: str
    date: str
    dirty: bool


def commit() -> Commit:
    """Return the commit that is checked out."""
    tags = lineage.of_this_process()
    found = tags.get("git.commit", "")
    return Commit(found, _date(found) if found else "", tags.get("git.dirty") == "true")


def lock() -> Mapping[str, Stage]:
    """Return the stages in dvc.lock, by name; UserError where it is missing or damaged."""
    content = reading.content(lock_file.PATH)
    try:
        return lock_file.stages(content)
    except ValueError as error:
        reading.refuse(lock_file.PATH, str(error))


def data(stages: Mapping[str, Stage]) -> list[File]:
    """Return the data, raw and normalised, with their digests."""
    return [out for name in DATA_STAGES if name in stages for out in stages[name].outs]


def differing(stages: Mapping[str, Stage]) -> list[str]:
    """Return the paths of what the report shows that isn't what dvc.lock holds: it may be of another run."""
    return [
        file.path
        for file in _shown(stages)
        if Path(file.path).exists() and _digest(Path(file.path)) != file.md5
    ]


def machines() -> dict[str, list[str]]:
    """Return each kind of machine that is recorded, in words, with the stages that ran on it."""
    found: dict[str, list[str]] = {}
    for stage, kind in inputs.platform().items():
        found.setdefault(machine.words(kind.model_dump()), []).append(stage)
    return found


def versions() -> list[tuple[str, str]]:
    """Return Python's version, and those of the main libraries by the lock file that set-up installs."""
    pins = reading.content(REQUIREMENTS, "run `git checkout requirements`, which brings it back")
    lines = pins.decode(errors="replace").splitlines()
    locked = {name.lower(): version for name, _, version in (line.partition("==") for line in lines)}
    return [
        ("Python", platform.python_version()),
        *((name, locked[name]) for name in LIBRARIES if name in locked),
    ]


def _shown(stages: Mapping[str, Stage]) -> Iterator[File]:
    for dep in stages[CHECKING].deps if CHECKING in stages else []:
        if dep.path == PARAMS.as_posix():
            yield dep
    results = (inputs.EVALUATION, inputs.DETAILS, inputs.GRADIENTS, inputs.REGRESSION)
    for stage in stages.values():
        for out in stage.outs:
            if Path(out.path) in results or Path(out.path).parent == inputs.EXERCISES:
                yield out


def _digest(path: Path) -> str:
    if path.is_dir():
        return lineage.dvc_hash(path)
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _date(commit: str) -> str:
    """Return the day of a commit as it was recorded, which no time zone here changes."""
    command = ["git", "show", "--no-patch", "--format=%cs", commit]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
