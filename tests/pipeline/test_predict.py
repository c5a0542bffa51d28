"""Predict asks the champion, after the pipeline has run and one has been chosen."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image


@pytest.mark.slow
def test_without_a_run_the_champion_answers(repository, tmp_path):
    # Where its models lie stands in the store: this copy can have a champion, and the other tests' none.
    shutil.copyfile(repository.path / "mlflow.db", tmp_path / "mlflow.db")
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    grey = np.full((60, 50), 255, np.uint8)
    grey[15:45, 20:28] = 0
    Image.fromarray(grey).save(tmp_path / "one.png")

    def predict(*arguments):
        done = repository.run(
            *(sys.executable, "-m", "pipeline", "predict", str(tmp_path / "one.png"), "--json", *arguments),
            **environment,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    promoted = repository.run(sys.executable, "-m", "pipeline", "promote", **environment)
    assert promoted.returncode == 0, promoted.stderr
    evaluation = json.loads(repository.text("results/evaluation.json"))
    best = min(evaluation, key=lambda run: evaluation[run]["validation/error"])
    by_champion = predict()
    assert by_champion["model"] == best
    assert by_champion == predict("--run", best)
