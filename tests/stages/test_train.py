"""Training on 300 images: what a run leaves, that it is always the same, and what refuses it."""

import itertools
import json
import math
import shutil

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from pipeline.datasets import normalization, splits
from pipeline.errors import UserError
from pipeline.learning import training
from pipeline.stages import train
from pipeline.tracking import run_directory

MODELS = ("softmax", "two_layer")
GRID = list(itertools.product(MODELS, ("manual", "autograd")))
CURVES = ("train/loss", "train/accuracy", "validation/loss", "validation/accuracy")


def trained(project, model, gradient="manual"):
    train.main(model, gradient)
    return run_directory.read(project / "results/runs" / f"{model}-{gradient}")


@pytest.mark.parametrize(("model", "gradient"), GRID)
def test_a_run_directory_is_complete(project, model, gradient):
    run = trained(project, model, gradient)
    texts = {"record.json", "metrics.json", "history.csv"}
    arrays = {f"{name}.safetensors" for name in ("weights", "normalization", "snapshots")}
    assert set(run_directory.files(run.path)) == texts | arrays
    assert (run.name, run.experiment) == (f"{model}-{gradient}", "mnist")
    assert (run.record["model"], run.record["gradient"]) == (model, gradient)
    assert run.record["dataset"] == {
        "name": "mnist",
        "train": {"digest": splits.digest(project / "data/normalized/train"), "samples": 300},
        "validation": {"digest": splits.digest(project / "data/normalized/validation"), "samples": 60},
    }
    written = json.loads((project / "params.yaml").read_text())
    assert run.record["parameters"] == {"seed": 0, "threads": 2, "train": {model: written["train"][model]}}
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    assert all(set(row) == {"epoch", "learning_rate", *CURVES} for row in run.history)
    shapes = {name: value.shape for name, value in run.weights().items()}
    layers = {"W1": (784, 8), "b1": (8,), "W2": (8, 10), "b2": (10,)}
    assert shapes == ({"W": (784, 10), "b": (10,)} if model == "softmax" else layers)
    first = shapes["W" if model == "softmax" else "W1"]
    assert {epoch: W.shape for epoch, W in run.snapshots().items()} == dict.fromkeys((0, 1, 2, 3), first)
    source = project / "data/normalized/normalization.safetensors"
    assert run.normalization.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("model", MODELS)
def test_training_learns_what_can_be_learned(project, set_param, model):
    set_param(f"train.{model}.epochs", 8)
    run = trained(project, model)
    assert run.metrics["validation/accuracy"] > 0.7  # by chance it would be 0.1
    assert run.history[-1]["train/loss"] < run.history[0]["train/loss"]


def test_metrics_and_weights_are_those_of_the_first_epoch_that_is_best_in_validation(project, set_param):
    set_param("train.softmax.epochs", 8)
    run = trained(project, "softmax")
    best = max(run.history, key=lambda row: row["validation/accuracy"])  # of equals the first
    assert run.metrics == {"best_epoch": best["epoch"], **{name: best[name] for name in CURVES}}
    images, labels = splits.read(project / "data/normalized/validation")
    scores = images @ run.weights()["W"] + run.weights()["b"]
    assert (scores.argmax(1) == labels).mean() == best["validation/accuracy"]


@pytest.mark.parametrize(("model", "gradient"), GRID)
def test_a_second_run_and_one_in_another_folder_leave_the_same_bytes(
    project, tmp_path, monkeypatch, contents, model, gradient
):
    first = contents(trained(project, model, gradient).path)
    assert contents(trained(project, model, gradient).path) == first
    elsewhere = tmp_path / "an other földer"
    shutil.copytree(project, elsewhere, ignore=shutil.ignore_patterns("results"))
    monkeypatch.chdir(elsewhere)
    assert contents(trained(elsewhere, model, gradient).path) == first


@pytest.mark.parametrize("model", MODELS)
def test_a_penalty_per_sample_is_by_all_samples_and_not_by_those_of_a_minibatch(project, set_param, model):
    set_param(f"train.{model}.penalty", {"kind": "per_sample", "strength": 6.0})
    per_sample = trained(project, model)
    set_param(f"train.{model}.penalty", {"kind": "sum", "strength": 6.0 / (2 * 300)})
    by_sum = trained(project, model)
    assert per_sample.history == by_sum.history
    assert per_sample.record["penalty"] == {"kind": "per_sample", "strength": 6.0}


def test_another_seed_leaves_other_weights(project, set_param):
    before = trained(project, "softmax").weights()["W"]
    set_param("seed", 1)
    assert not np.array_equal(trained(project, "softmax").weights()["W"], before)


@pytest.mark.parametrize("model", MODELS)
def test_the_manual_and_the_autograd_gradient_train_alike(project, model):
    manual, autograd = (trained(project, model, gradient) for gradient in ("manual", "autograd"))
    # Only the rounding of float32 sets them apart, over 15 updates.
    for name, value in manual.weights().items():
        np.testing.assert_allclose(autograd.weights()[name], value, atol=1e-4, err_msg=name)
    for ours, torchs in zip(manual.history, autograd.history, strict=True):
        assert torchs["train/loss"] == pytest.approx(ours["train/loss"], rel=1e-4)


@pytest.mark.parametrize("gradient", ["manual", "autograd"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of an overflow, which is what is provoked
def test_divergence_names_the_section_and_the_remedy_and_leaves_the_previous_run(
    project, set_param, contents, gradient
):
    before = contents(trained(project, "two_layer", gradient).path)
    set_param("train.two_layer.learning_rate", 1e9)
    with pytest.raises(UserError, match=r"^params.yaml: train.two_layer: diverged: .* lower the learning"):
        train.main("two_layer", gradient)
    assert contents(project / "results/runs") == {f"two_layer-{gradient}/{k}": v for k, v in before.items()}


def test_a_missing_cuda_device_is_an_error_of_autograd_alone(project, set_param, contents, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_cpu = trained(project, "softmax").weights()
    set_param("train.softmax.device", "cuda")
    with pytest.raises(UserError, match=r"^params.yaml: train.*'cuda': this torch finds no CUDA .*use cpu"):
        train.main("softmax", "autograd")
    assert not (project / "results/runs/softmax-autograd").exists()
    np.testing.assert_array_equal(trained(project, "softmax").weights()["W"], on_cpu["W"])


@pytest.mark.parametrize("replacement", [False, True])
def test_a_minibatch_larger_than_the_data_is_all_of_it(project, set_param, replacement):
    set_param("train.softmax.replacement", replacement)
    set_param("train.softmax.batch_size", 300)
    all_of_it = trained(project, "softmax")
    set_param("train.softmax.batch_size", 60_000)
    larger = trained(project, "softmax")
    np.testing.assert_array_equal(larger.weights()["W"], all_of_it.weights()["W"])
    assert larger.history == all_of_it.history


def test_drawing_with_replacement_sees_other_minibatches_and_as_many(project, set_param, monkeypatch):
    seen = []
    minibatches = train.sgd.minibatches

    def watched(*arguments):
        for index in minibatches(*arguments):
            seen.append(index)
            yield index

    monkeypatch.setattr(train.sgd, "minibatches", watched)
    set_param("train.softmax.epochs", 1)
    trained(project, "softmax")
    assert [len(index) for index in seen] == [64, 64, 64, 64, 44]
    assert sorted(np.concatenate(seen)) == list(range(300))
    seen.clear()
    set_param("train.softmax.replacement", True)
    run = trained(project, "softmax")
    assert [len(index) for index in seen] == [64] * 5
    assert len(set(np.concatenate(seen))) < 300
    assert run.record["optimiser"]["replacement"] is True


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", lambda epoch: 0.02),
        ("exponential", lambda epoch: 0.02 * 0.95 ** (epoch - 1)),
        # At the last of an epoch's five updates, of three epochs.
        ("cosine", lambda epoch: 0.01 * (1 + math.cos(math.pi * (epoch - 1 + 4 / 5) / 3))),
    ],
)
def test_every_schedule_lowers_the_learning_rate_as_its_formula_says(project, set_param, schedule, expected):
    set_param("train.softmax.schedule", schedule)
    rates = [row["learning_rate"] for row in trained(project, "softmax").history]
    assert rates == pytest.approx([expected(epoch) for epoch in (1, 2, 3)], rel=1e-12)


@pytest.mark.parametrize(("std", "first", "second"), [(0.5, 0.5, 0.5), (None, (2 / 784) ** 0.5, 0.5)])
def test_training_starts_from_weights_of_initial_std_and_without_from_those_of_he(
    project, set_param, std, first, second
):
    set_param("train.two_layer.initial_std", std)
    set_param("train.two_layer.learning_rate", 1e-9)  # so that they stay where they start
    weights = trained(project, "two_layer").weights()
    # sqrt(2 / 8 hidden units) is 0.5 too; the bounds are five standard errors of 6272 and 80 draws.
    assert weights["W1"].std() == pytest.approx(first, rel=5 / math.sqrt(2 * 6272))
    assert weights["W2"].std() == pytest.approx(second, rel=5 / math.sqrt(2 * 80))
    assert np.abs(np.concatenate([weights["b1"], weights["b2"]])).max() < 1e-6


@pytest.mark.parametrize("model", MODELS)
def test_a_stronger_penalty_leaves_smaller_weights(project, set_param, model):
    norms = []
    for strength in (0.0, 0.5):
        set_param(f"train.{model}.penalty.strength", strength)
        weights = trained(project, model).weights()
        norms.append(sum(np.square(value).sum() for name, value in weights.items() if name[0] == "W"))
    assert norms[1] < 0.9 * norms[0]


@pytest.mark.parametrize(
    "arguments", [("nonsense", "manual"), ("softmax", "nonsense"), ("softmax", "numeric")]
)
def test_an_unknown_model_or_gradient_is_refused_in_one_line(project, arguments):
    with pytest.raises(UserError, match="nonsense|numeric"):
        train.main(*arguments)


AFFINE = {"rotation": 7.5, "scaling": 0.15, "shear": 0.1, "shift": 1.0}
STILL = dict.fromkeys(AFFINE, 0.0)
DISTORTIONS = {
    "affine": {**AFFINE, "elasticity": 0.0, "smoothness": 4.0},
    "elastic": {**STILL, "elasticity": 34.0, "smoothness": 4.0},
    "both": {**AFFINE, "elasticity": 34.0, "smoothness": 4.0},
}


@pytest.mark.parametrize("gradient", ["manual", "autograd"])
@pytest.mark.parametrize("distortion", DISTORTIONS.values(), ids=DISTORTIONS)
def test_distorted_images_are_trained_on_seeded_and_learned_from(project, set_param, distortion, gradient):
    set_param("train.softmax.epochs", 8)
    plain = trained(project, "softmax", gradient).weights()["W"]
    set_param("train.softmax.distortion", distortion)
    first, again = (trained(project, "softmax", gradient).weights()["W"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(plain, first)
    run = run_directory.read(project / f"results/runs/softmax-{gradient}")
    assert run.metrics["validation/accuracy"] > 0.6
    assert run.record["parameters"]["train"]["softmax"]["distortion"] == distortion


def test_both_engines_train_on_the_same_distorted_images(project, set_param):
    set_param("train.softmax.distortion", DISTORTIONS["both"])
    manual, autograd = (trained(project, "softmax", gradient) for gradient in ("manual", "autograd"))
    np.testing.assert_allclose(manual.weights()["W"], autograd.weights()["W"], atol=1e-5)


@pytest.mark.parametrize(
    ("threads", "distortion", "computing"), [(2, None, 2), (2, "affine", 1), (1, "affine", 1)]
)
def test_the_thread_that_distorts_is_one_of_those_asked_for(
    project, set_param, monkeypatch, threads, distortion, computing
):
    held, fit = set(), training.fit

    def watched(*arguments):
        held.update(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return fit(*arguments)

    monkeypatch.setattr(training, "fit", watched)
    set_param("threads", threads)
    set_param("train.softmax.distortion", DISTORTIONS.get(distortion))
    trained(project, "softmax")
    assert held == {computing}


def test_what_is_standardised_pixel_by_pixel_is_not_distorted(project, set_param):
    path = project / "data/normalized/normalization.safetensors"
    whole = normalization.load(path)
    normalization.Standardization(np.linspace(1, 2, 784, dtype=np.float32), whole.std).save(path)
    set_param("train.softmax.distortion", DISTORTIONS["affine"])
    with pytest.raises(UserError, match=r"set normalize\.standardization to global"):
        train.main("softmax", "manual")


def test_a_window_reads_the_samples_in_another_order(project, set_param):
    plain = trained(project, "softmax").weights()["W"]
    set_param("train.softmax.window", 64)
    windowed = trained(project, "softmax")
    assert not np.array_equal(plain, windowed.weights()["W"])
    assert windowed.metrics["validation/accuracy"] > 0.5
