"""Repositories to run the real pipeline in: the project as it stands, on a small part of MNIST."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[1]
# The check of the gradients in a second.
QUICK_CHECK = {
    "gradients.samples": 8,
    "gradients.hidden": 4,
    "gradients.steps": [0, 2],
    "gradients.random_draws": 1,
    "gradients.directions": 1,
    "gradients.coordinates": 2,
}
# Small enough for seconds; everything else is as shipped.
SMALL = {
    "threads": 1,  # several processes of tests share the processors
    "normalize.limit": 2000,
    "normalize.validation": 400,
    "normalize.digits_per_class": 20,
    "regression.penalty.strength": 0.5,
    "train.softmax.epochs": 2,
    "train.two_layer.epochs": 2,
    "train.two_layer.batch_size": 128,
    "train.two_layer.learning_rate": 0.08,
    "train.two_layer.hidden": 16,
    "baseline.logistic_regression.max_iterations": 10,
    "baseline.sgd_classifier.epochs": 1,
    "baseline.mlp_classifier.epochs": 2,
    **QUICK_CHECK,
    "evaluate.worst_mistakes": 4,
    "exercise.spiral.network_iterations": 100,
    "exercise.digits_cg.iterations": 10,
    "exercise.relu_regression.inputs": 50,
    "exercise.relu_regression.iterations": 20,
    "exercise.softmax_loops.samples": 60,
    "exercise.softmax_loops.inputs": 100,
}


@dataclass(frozen=True)
class Repository:
    """A repository of our own, where commands run as a user would run them."""

    path: Path

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command there, with this environment's programs, and return what it said."""
        return subprocess.run(
            command,
            cwd=self.path,
            env={**surroundings(), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command there, as `run` does, and return it while it runs."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.path, env=surroundings(), **pipes)

    def dvc(self, *arguments: str, **environment: str) -> str:
        """Run DVC and return all that it printed; it must succeed."""
        done = self.run(sys.executable, "-m", "dvc", *arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def git(self, *arguments: str) -> str:
        """Run git; it must succeed."""
        done = self.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set(self, name: str, value: object) -> None:
        """Change one parameter in params.yaml."""
        yaml = YAML()
        data = yaml.load(self.path / "params.yaml")
        *sections, key = name.split(".")
        section = data
        for each in sections:
            section = section[each]
        section[key] = value
        yaml.dump(data, self.path / "params.yaml")

    def text(self, name: str) -> str:
        """Return the text of a file."""
        return (self.path / name).read_text(encoding="utf-8")

    def repro(self, *arguments: str, **environment: str) -> list[str]:
        """Run `dvc repro`, which must succeed, and return the stages that ran."""
        return re.findall(
            r"^Running stage '(.+)':$", self.dvc("repro", *arguments, **environment), re.MULTILINE
        )

    def outputs(self) -> dict[str, bytes]:
        """Return every output's bytes, by its path."""
        made = [self.path / "data", self.path / "results"]
        files = [file for folder in made for file in folder.rglob("*") if file.is_file()]
        return {
            file.relative_to(self.path).as_posix(): file.read_bytes()
            for file in files
            if "timings" not in file.parts
        }


def surroundings() -> dict[str, str]:
    """This process's environment, without what an outer DVC, MLflow or make would pass on."""
    outer = ("DVC_", "MLFLOW_", "MAKE", "MFLAGS")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{mine.get('PATH', '')}"
    return {**mine, "PATH": programs, "DVC_NO_ANALYTICS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def copy_of_the_project(target: Path) -> Repository:
    """Copy what git tracks or would track, as it stands now, into a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_file() and not name.startswith("results/") and name != "dvc.lock":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    repository = Repository(target)
    repository.git("init", "--quiet", "--initial-branch=main")
    for name, value in SMALL.items():
        repository.set(name, value)
    commit(repository, "The project")
    return repository


def commit(repository: Repository, message: str) -> None:
    """Commit everything that isn't ignored."""
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", message)


def copy(repository: Repository, target: Path) -> Repository:
    """Copy a repository with its outputs and DVC's cache, but without its MLflow store."""
    shutil.copytree(repository.path, target, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))
    return Repository(target)
