"""What a kill, a crash or a merge leaves broken: named with what mends it, and mended by just that."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.running import SILENT, mend
from tests.repositories import Repository, copy

STAGE = "train@softmax-manual"
RUN = "results/runs/softmax-manual"


@pytest.fixture
def broken(trained, tmp_path) -> Repository:
    """A copy to break."""
    return copy(trained, tmp_path / "broken")


@pytest.fixture
def nobody() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def is_well(repository: Repository, trained: Repository) -> None:
    """The pipeline completes, as if nothing had happened, and nothing is left to be found."""
    repository.repro(STAGE, **SILENT)
    assert (repository.text("dvc.lock"), repository.outputs()) == (
        trained.text("dvc.lock"),
        trained.outputs(),
    )
    doctor = repository.run(sys.executable, "-m", "pipeline", "doctor", **SILENT)
    assert (doctor.returncode, doctor.stdout) == (0, "nothing found\n")


def environment_of(repository: Repository) -> None:
    """Give `make` an environment that is set up: this one."""
    environment = repository.path / ".venv"
    environment.mkdir()
    (environment / "pyvenv.cfg").write_bytes((Path(sys.prefix) / "pyvenv.cfg").read_bytes())
    for name in ("bin", "lib"):
        (environment / name).symlink_to(Path(sys.prefix) / name)
    (environment / ".installed").touch()


def cut_off(lock: str) -> str:
    """In the middle of a key: after a whole entry, what is left would be a lock of fewer entries."""
    return lock[: lock.index("md5: ", len(lock) // 2) + len("md")]


def cut_off_to_valid_yaml(lock: str) -> str:
    return lock[: lock.rindex("hash: md5") + len("hash: ")]


def conflicting(lock: str) -> str:
    return lock.replace("stages:\n", "<<<<<<< HEAD\nstages:\n=======\nstages:\n>>>>>>> other\n", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (cut_off_to_valid_yaml, "is not whole ("),
        (cut_off, "is not whole ("),
        (conflicting, "holds the markers of a merge conflict"),
    ],
)
@pytest.mark.fault(
    "Stopping in the middle", "dvc.lock cut off by a kill, or with the markers of a merge conflict"
)
def test_a_lock_that_cannot_be_read_is_named_and_mended(broken, trained, happened, damage, named):
    lock = broken.path / "dvc.lock"
    lock.write_text(damage(lock.read_text()))
    environment_of(broken)
    refused = broken.run("make", "repro", **SILENT)
    assert refused.returncode != 0
    assert f"\ndoctor: dvc.lock: {named}" in refused.stderr
    assert "Running stage" not in refused.stdout
    line = mend(broken).splitlines()[0]
    assert line.startswith(f"dvc.lock: {named}")
    is_well(broken, trained)
    happened(f"DVC runs nothing; doctor: {line}")


def torn_lock(repository: Repository, nobody: int) -> str:
    (repository.path / ".dvc/tmp/rwlock").write_text('{"write": {"/a/pa')
    return ".dvc/tmp/rwlock: can't be read"


def orphaned_lock(repository: Repository, nobody: int) -> str:
    held = {"write": {str(repository.path / RUN): {"pid": nobody, "cmd": "dvc repro"}}}
    (repository.path / ".dvc/tmp/rwlock").write_text(json.dumps(held))
    return f".dvc/tmp/rwlock: is held for process {nobody}, "


def lock_of_a_used_number(repository: Repository, nobody: int) -> str:
    held = {"read": {str(repository.path / "data/raw"): [{"pid": 1, "cmd": "dvc repro"}]}}
    (repository.path / ".dvc/tmp/rwlock").write_text(json.dumps(held))
    return ".dvc/tmp/rwlock: is held for process 1, "


def hard_lock(repository: Repository, nobody: int) -> str:
    lock = repository.path / ".dvc/tmp/lock"
    lock.with_name("claim.lock").write_text(str(nobody))
    lock.unlink(missing_ok=True)
    lock.hardlink_to(lock.with_name("claim.lock"))
    return ".dvc/tmp/lock: no DVC is running"


def temporary_directory(repository: Repository, nobody: int) -> str:
    left = repository.path / f"results/runs/.softmax-manual.{nobody}.new.tmp"
    left.mkdir()
    (left / "record.json").write_text("{")
    return f"results/runs/{left.name}: what wrote it was killed"


def temporary_file(repository: Repository, nobody: int) -> str:
    left = repository.path / f"data/.params.checked.{nobody}.tmp"
    left.write_text("half")
    return f"data/{left.name}: what wrote it was killed"


def torn_settings(repository: Repository, nobody: int) -> str:
    (repository.path / ".dvc/config").write_text("[core\n")
    return ".dvc/config: can't be read ("


def changed_run(repository: Repository, nobody: int) -> str:
    metrics = repository.path / RUN / "metrics.json"
    metrics.write_text(metrics.read_text().replace("}", " }"))
    return f"{RUN}: its files are not those that dvc.lock knows"


@pytest.mark.parametrize(
    "breaks",
    [
        torn_lock,
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in (
                *(orphaned_lock, lock_of_a_used_number, hard_lock),
                *(temporary_directory, temporary_file, torn_settings, changed_run),
            )
        ),
    ],
    ids=lambda breaks: breaks.__name__,
)
@pytest.mark.fault(
    "Stopping in the middle", "a lock of DVC's torn or left, half a file, a run that was changed"
)
def test_what_a_kill_leaves_is_named_and_mended(broken, trained, nobody, happened, breaks):
    named = breaks(broken, nobody)
    [line] = mend(broken).splitlines()
    assert line.startswith(named)
    is_well(broken, trained)
    happened(f"doctor: {line}")


@pytest.mark.slow
@pytest.mark.fault("Stopping in the middle", "an object in DVC's cache with other bytes")
def test_a_corrupt_object_is_found_by_looking_deep(broken, trained, happened):
    objects = sorted((broken.path / ".dvc/cache/files/md5").glob("*/*"))
    damaged = next(path for path in objects if path.suffix != ".dir" and path.stat().st_size < 10_000)
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes() + b"\\0")
    damaged.chmod(0o444)
    shallow = broken.run(sys.executable, "-m", "pipeline", "doctor", **SILENT)
    assert shallow.stdout == "nothing found\n"
    [line] = mend(broken, "--deep").splitlines()
    assert line.startswith(damaged.relative_to(broken.path).as_posix())
    is_well(broken, trained)
    assert (
        "nothing found" in broken.run(sys.executable, "-m", "pipeline", "doctor", "--deep", **SILENT).stdout
    )
    happened(f"doctor --deep: {line}")
