"""`make reproduce` runs the last commit anew in a clone, and names what differs."""

import sys

import pytest
from ruamel.yaml import YAML

from pipeline.commands import reproduce

KEPT = {
    "check_params",
    "fetch",
    "normalize",
    "train@two_layer-manual",
    "check_gradients",
}


def keep_some_stages(repository) -> None:
    """Leave out the others, which `make reproduce` runs: they would take as long as the pipeline did."""
    yaml = YAML()
    definition, lock = (yaml.load(repository.path / name) for name in ("dvc.yaml", "dvc.lock"))
    stages = definition["stages"]
    for name in ("fit_regression", "baseline", "exercise", "evaluate"):
        del stages[name]
    stages["train"]["matrix"] = {"model": ["two_layer"], "gradient": ["manual"]}
    lock["stages"] = {name: stage for name, stage in lock["stages"].items() if name in KEPT}
    yaml.dump(definition, repository.path / "dvc.yaml")
    yaml.dump(lock, repository.path / "dvc.lock")


@pytest.mark.slow
def test_what_cannot_be_made_again_is_named_and_everything_else_is_identical(copied):
    keep_some_stages(copied)
    made = reproduce.outputs(copied.path)
    path = "results/gradients.json"
    lock = copied.text("dvc.lock").replace(made[path], "f" * 32)
    (copied.path / "dvc.lock").write_text(lock)
    copied.git("commit", "--quiet", "--all", "--message", "A wrong hash")
    done = copied.run(sys.executable, "-m", "pipeline", "reproduce", LC_ALL="C.UTF-8")
    assert done.returncode == 1, done.stderr
    assert f"reproduce: {path}: {'f' * 32} in dvc.lock, {made[path]} made again" in done.stdout
    assert len(made) == 10
    assert f"reproduce: 1 of {len(made)} outputs differ on the same kind of machine" in done.stdout


def test_changes_that_are_not_committed_are_refused(copied):
    copied.set("seed", 1)
    done = copied.run(sys.executable, "-m", "pipeline", "reproduce")
    assert done.returncode == 2
    assert done.stderr == (
        "error: params.yaml: is changed and not committed; "
        "what is reproduced is the last commit, so commit first\n"
    )
