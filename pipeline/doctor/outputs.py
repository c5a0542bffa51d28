"""What stages leave: whole, or the remains of one that was killed."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from pipeline import files, lock_file, machine
from pipeline.errors import UserError
from pipeline.stages import records
from pipeline.tracking import evaluated, lineage, run_directory

FOLDERS = (Path("data"), Path("results"))
EVALUATION = Path("results/evaluation.json")


def platform() -> Iterator[str]:
    """Yield a line where it can't be read on what machines the outputs were made: no stage starts then."""
    try:
        machine.recorded()
    except UserError as error:
        yield str(error)


def leftovers() -> Iterator[str]:
    """Yield a line for each temporary file or directory whose writer was killed."""
    for folder in FOLDERS:
        for parent in (folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())):
            for path in files.leftovers(parent):
                shown = shlex.quote(str(path))
                yield f"{path}: what wrote it was killed; `rm -r {shown}`"


def runs() -> Iterator[str]:
    """Yield a line for each run directory that is damaged or isn't the one that DVC or evaluate has seen."""
    recorded, measured = _recorded(), _measured()
    for directory in sorted(path for path in records.RUNS.glob("[!.]*") if path.is_dir()):
        digest = lineage.dvc_hash(directory)
        stage, known = recorded.get(directory.as_posix(), ("", digest))
        if digest != known:
            remedies = f"`dvc checkout --force {directory}` brings those back, `dvc repro {stage}` makes them"
            yield f"{directory}: its files are not those that {lock_file.PATH} knows; {remedies}"
        elif fault := _fault(directory):
            yield fault
        elif measured.get(directory.name, fingerprint := run_directory.fingerprint(directory)) != fingerprint:
            yield f"{directory}: {EVALUATION} has another fingerprint; `dvc repro evaluate`"


def _fault(directory: Path) -> str | None:
    """Return why a run directory can't be read, with the remedy."""
    try:
        run_directory.read(directory).weights()
    except UserError as error:
        return str(error)
    return None


def _recorded() -> dict[str, tuple[str, str]]:
    """Return stage and hash of every output in dvc.lock, by path; nothing where it can't be read."""
    return {out.path: (name, out.md5) for name, stage in lineage.stages().items() for out in stage.outs}


def _measured() -> dict[str, str]:
    """Return the fingerprint of every run that was evaluated, by name; nothing where it can't be read."""
    try:
        return {name: result["fingerprint"] for name, result in evaluated.read(EVALUATION).items()}
    except UserError:
        return {}
