"""`python -m pipeline predict`: any picture of a digit, by a run or by the champion."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets import handwriting, idx, pictures
from pipeline.tracking.scored_model import ScoredModel
from tests import trained
from tests.demo import runs

RUN = "two_layer-manual"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Run directories of random weights, and two pictures."""
    runs.leave(tmp_path)
    for name, light in (("light.png", 255), ("dark.jpg", 0)):
        grey = np.full((60, 50), 255 - light, np.uint8)
        grey[15:45, 20:28] = light
        Image.fromarray(grey).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def expected(path):
    image = handwriting.as_mnist(pictures.read(path))
    return ScoredModel(path.parent / "results/runs" / RUN).predict(image[None])[0]


def test_each_picture_is_a_line_with_its_digit_and_the_runner_up(folder, run_command):
    status, out, err = run_command("predict", "light.png", "dark.jpg", "--run", RUN)
    assert (status, err) == (0, "")
    for line, name in zip(out.splitlines(), ("light.png", "dark.jpg"), strict=True):
        shares = expected(folder / name)
        first, second = np.argsort(-shares)[:2]
        assert line == f"{name}: {first} ({shares[first]:.1%}), else {second} ({shares[second]:.1%})"


def test_as_json_there_are_all_ten_in_full(folder, run_command):
    status, out, err = run_command("predict", "light.png", "--run", RUN, "--json")
    shares = expected(folder / "light.png")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "model": RUN,
        "images": [{"image": "light.png", "digit": shares.argmax(), "probabilities": shares.tolist()}],
    }


def test_one_bad_picture_is_named_and_nothing_is_printed(folder, run_command):
    Image.new("L", (40, 40), 255).save(folder / "blank.png")
    (folder / "text.png").write_text("no picture")
    for name, says in (
        ("blank.png", "nothing is drawn in it that stands out from its ground; give a picture of one digit"),
        ("text.png", "is no picture that can be read; PNG, JPEG, WebP, GIF and BMP are read"),
    ):
        told = f"error: {name}: {says}\n"
        assert run_command("predict", "light.png", name, "--run", RUN) == (2, "", told)


@pytest.mark.parametrize("name", ["nonsense", "../runs/two_layer-manual", "."])
def test_an_unknown_run_is_answered_with_those_there_are(folder, run_command, name):
    told = (
        f"error: run {name!r}: choose one of baseline-mlp_classifier, two_layer-autograd, two_layer-manual\n"
    )
    assert run_command("predict", "light.png", "--run", name) == (2, "", told)


def test_without_any_run_the_remedy_is_told(folder, run_command, monkeypatch):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    status, out, err = run_command("predict", "../light.png", "--run", RUN)
    assert (status, out) == (2, "")
    assert err == (
        "error: results/runs: no trained models; `make repro` makes it, "
        "`dvc pull` brings it where it is stored\n"
    )


@pytest.mark.parametrize("file", ["weights.safetensors", "record.json", "normalization.safetensors"])
def test_a_damaged_run_is_named_with_the_remedy(folder, run_command, file):
    (folder / "results/runs" / RUN / file).write_bytes(b"{}")
    status, out, err = run_command("predict", "light.png", "--run", RUN)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: results/runs/{RUN}: is damaged (")
    assert err.endswith("remove the directory and run `dvc repro`, which makes it again\n")
    assert len(err.splitlines()) == 1


def test_with_a_run_neither_mlflow_nor_torch_is_imported(folder):
    code = (
        "import sys; from pathlib import Path; from pipeline.commands import predict;"
        f"predict.show([Path('light.png')], '{RUN}', as_json=True);"
        "print({'mlflow', 'torch', 'sklearn', 'matplotlib'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(runs.REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "set()\n")


@pytest.mark.slow
def test_without_a_run_and_a_champion_it_is_said_how_to_choose_one(folder, run_command, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    status, out, err = run_command("predict", "light.png")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].endswith("has no champion; `make promote` chooses one")


def varied(pixels, number, rng):
    """An image (28, 28) in another size, shape and place, light on dark or dark on light."""
    height = int(rng.integers(20, 401))
    width = round(height * rng.uniform(0.8, 1.25))
    scaled = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    size = [length + int(rng.integers(0, length + 1)) for length in (width, height)]
    picture = Image.new("L", size)
    picture.paste(scaled, [int(rng.integers(0, rest + 1)) for rest in np.subtract(size, scaled.size)])
    grey = np.asarray(picture)
    return 255 - grey if number % 2 else grey


@pytest.mark.slow
def test_97_of_100_test_images_are_right_rescaled_moved_inverted_as_png_and_as_jpeg(
    tmp_path, run_command, monkeypatch
):
    folder = trained.train(tmp_path)
    monkeypatch.chdir(folder)
    images, labels = (
        idx.parse_idx((folder / f"data/raw/t10k-{kind}-ubyte").read_bytes(), kind)
        for kind in ("images-idx3", "labels-idx1")
    )
    rng = np.random.default_rng(3)
    names = []
    for number, sample in enumerate(rng.choice(len(images), 200, replace=False)):
        names.append(f"{number}-{labels[sample]}.{'png' if number // 2 % 2 else 'jpg'}")
        Image.fromarray(varied(images[sample], number, rng)).save(names[-1])
    status, out, err = run_command("predict", *names, "--run", trained.RUN, "--json")
    assert (status, err) == (0, "")
    answers = json.loads(out)["images"]
    assert [answer["image"] for answer in answers] == names
    right = sum(answer["image"].split("-")[1][0] == str(answer["digit"]) for answer in answers)
    assert right >= 0.97 * len(names)
