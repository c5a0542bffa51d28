"""`make reproduce` runs the last commit anew in a clone, and names what differs."""

import sys

from pipeline.commands import reproduce


def test_what_cannot_be_made_again_is_named_and_everything_else_is_identical(copied):
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
