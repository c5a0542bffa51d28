"""A project as `make repro` leaves it, but with few test images, and the report of it."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.commands import report
from pipeline.figures.comparison import PAIRS, RUNS
from pipeline.tracking import lineage
from tests.reports.markup import Element, read

REPOSITORY = Path(__file__).parents[2]
COMMITTED = ("evaluation", "gradients", "regression", "platform", "benchmark")
PICTURES = ("confusion", "reliability", "first_layer", "worst_mistakes")
# Of 100 test images so many are wrong, twice 3 for 5 among them.
IMAGES, WRONG = 100, ((3, 5), (4, 9), (3, 5))
# McNemar's counts, in the order of PAIRS: the same, no difference, and either one better.
COUNTS = ((0, 0, 1.0), (41, 53, 0.2564), (0, 0, 1.0), (66, 28, 0.00011), (20, 60, 8.5e-6), (116, 49, 1.9e-7))


def shades(path: Path, place: int, width: int = 40) -> None:
    """Leave a picture that is no other's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, 30), (place % 256, place // 256, 7)).save(path, "PNG")


def _details(folder: Path) -> None:
    for place, run in enumerate(RUNS):
        for kind, name in enumerate((*PICTURES, *(["learning_curves"] * run.startswith(("softmax", "two"))))):
            shades(folder / run / f"{name}.png", 10 * place + kind)
        taken = [*WRONG, *((digit % 10, digit % 10) for digit in range(IMAGES - len(WRONG)))]
        lines = "".join(f"{actual},{predicted}\n" for actual, predicted in taken)
        (folder / run / "confusion.csv").write_text(f"actual,predicted\n{lines}")
    shades(folder / "comparison.png", 999, width=700)
    counts = [dict(zip(("only_a_right", "only_b_right", "p_value"), each, strict=True)) for each in COUNTS]
    pairs = [{"a": a, "b": b, **each} for (a, b), each in zip(PAIRS, counts, strict=False)]
    (folder / "mcnemar.json").write_text(json.dumps(pairs))


def lock(root: Path) -> None:
    """Write dvc.lock with the hashes of what is there."""

    def hashed(*paths: str) -> list[dict[str, str]]:
        return [{"path": path, "hash": "md5", "md5": _digest(root / path)} for path in paths]

    exercises = sorted(path.relative_to(root).as_posix() for path in (root / "results/exercises").iterdir())
    stages = {
        "check_params": {"deps": hashed("params.yaml")},
        "fetch": {"outs": [{"path": "data/raw", "md5": f"{'1' * 32}.dir"}]},
        "normalize": {"outs": [{"path": "data/normalized/train", "md5": f"{'2' * 32}.dir"}]},
        "check_gradients": {"outs": hashed("results/gradients.json")},
        "fit_regression": {"outs": hashed("results/regression.json")},
        "evaluate": {"outs": hashed("results/evaluation.json", "results/evaluation")},
        "exercises": {"outs": hashed(*exercises)},
    }
    with (root / "dvc.lock").open("w") as file:
        YAML(typ="safe").dump({"schema": "2.0", "stages": stages}, file)


def _digest(path: Path) -> str:
    if path.is_dir():
        return lineage.dvc_hash(path)
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """The project, committed; to be read only."""
    root = tmp_path_factory.mktemp("a report") / "projet é"
    (root / "results").mkdir(parents=True)
    for name in ("params.yaml", "requirements", "results/exercises"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copyfile
        copy(REPOSITORY / name, root / name)
    for name in COMMITTED:
        shutil.copyfile(REPOSITORY / f"results/{name}.json", root / f"results/{name}.json")
    _details(root / "results/evaluation")
    lock(root)
    (root / ".gitignore").write_text("/results/\n")
    when = {"GIT_AUTHOR_DATE": "2026-03-04T23:30:00+0900", "GIT_COMMITTER_DATE": "2026-03-04T23:30:00+0900"}
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "A project"]):
        subprocess.run([*git, *command], cwd=root, env={**os.environ, **when}, check=True)
    return root


@pytest.fixture(scope="session")
def html(made) -> str:
    """The report of it, where it lies by default."""
    with contextlib.chdir(made):
        report.write(Path("results/report.html"))
        written = Path("results/report.html").read_text(encoding="utf-8")
        Path("results/report.html").unlink()
    return written


@pytest.fixture(scope="session")
def page(html) -> Element:
    """The report as a tree."""
    return read(html)


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Path:
    """A copy of the project to change at will, and to be in."""
    root = shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def written(project, capsys) -> Callable[[], Element]:
    """Write the report of the changed project, and return it as a tree."""

    def write() -> Element:
        report.write(Path("results/report.html"))
        return read((project / "results/report.html").read_text(encoding="utf-8"))

    return write


@pytest.fixture
def run(project) -> "Callable[..., subprocess.CompletedProcess[str]]":
    """Run `python -m pipeline report` there, in a process of its own."""

    def command(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "pipeline", "report", *arguments],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return command


@pytest.fixture
def change() -> Callable[..., None]:
    """Change the content of a JSON file by a function that changes it in place."""

    def apply(path: str, by: Callable) -> None:
        content = json.loads(Path(path).read_text())
        changed = by(content)
        Path(path).write_text(json.dumps(content if changed is None else changed))

    return apply
