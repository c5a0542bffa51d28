"""`make reproduce` runs the last commit anew in a clone, and names what differs."""

import sys

from ruamel.yaml import YAML

from pipeline.commands import reproduce
from pipeline.exercises import NAMES


def keep_one_exercise(repository) -> None:
    """Leave out five of the six, which would take as long again as all other stages."""
    yaml = YAML()
    definition, lock = (yaml.load(repository.path / name) for name in ("dvc.yaml", "dvc.lock"))
    for name in NAMES[1:]:
        del definition["stages"]["exercise"]["foreach"][name]
        del lock["stages"][f"exercise@{name}"]
    yaml.dump(definition, repository.path / "dvc.yaml")
    yaml.dump(lock, repository.path / "dvc.lock")


def test_what_cannot_be_made_again_is_named_and_everything_else_is_identical(copied):
    keep_one_exercise(copied)
    made = reproduce.outputs(copied.path / "dvc.lock")
    path = "results/gradients.json"
    lock = copied.text("dvc.lock").replace(made[path], "f" * 32)
    (copied.path / "dvc.lock").write_text(lock)
    copied.git("commit", "--quiet", "--all", "--message", "A wrong hash")
    done = copied.run(sys.executable, "-m", "pipeline", "reproduce", LC_ALL="C.UTF-8")
    assert done.returncode == 1, done.stderr
    assert f"reproduce: {path}: {'f' * 32} in dvc.lock, {made[path]} made again" in done.stdout
    assert f"reproduce: 1 of {len(made)} outputs differ on the same kind of machine" in done.stdout


def test_changes_that_are_not_committed_are_refused(copied):
    copied.set("seed", 1)
    done = copied.run(sys.executable, "-m", "pipeline", "reproduce")
    assert done.returncode == 2
    assert done.stderr == (
        "error: params.yaml: is changed and not committed; "
        "what is reproduced is the last commit, so commit first\n"
    )
