from functools import partial

import numpy as np
import pytest

from pipeline.learning import gradients, initialization, models, sgd, training
from pipeline.learning.penalty import NONE, Penalty
from pipeline.learning.randomness import generator

INPUTS, CLASSES, HIDDEN, EPOCHS = 6, 3, 8, 6


def samples(count: int, dtype=np.float64, seed: int = 0) -> training.Samples:
    """Three clouds, a class each, that overlap a little."""
    rng = np.random.default_rng(seed)
    y = rng.integers(CLASSES, size=count)
    centres = np.random.default_rng(99).standard_normal((CLASSES, INPUTS))
    return training.Samples((centres[y] + 0.6 * rng.standard_normal((count, INPUTS))).astype(dtype), y)


def settings(count: int, **changed) -> training.Settings:
    made = {
        "epochs": EPOCHS,
        "learning_rate": sgd.learning_rates("cosine", 0.05, 1.0, EPOCHS),
        "momentum": 0.9,
        "penalty": Penalty("sum", 1e-3),
        "minibatches": partial(sgd.minibatches, count, 16, False, generator(0, "minibatches")),
        "batches_per_epoch": -(-count // 16),
        **changed,
    }
    return training.Settings(**made)


def start(model, dtype=np.float64):
    return initialization.normal(
        model.shapes(INPUTS, CLASSES, HIDDEN), 0.1, generator(0, "initialization"), dtype
    )


def fit(gradient: str = "manual", name: str = "two_layer", dtype=np.float64, observe=None, **changed):
    model, engine = models.get(name), gradients.get_trainable(gradient)
    train, validation = (
        training.Samples(engine.to_native(part.X, "cpu"), engine.to_native(part.y, "cpu"))
        for part in (samples(150, dtype), samples(60, dtype, seed=1))
    )
    params = {key: engine.to_native(value, "cpu") for key, value in start(model, dtype).items()}
    return training.fit(
        model, engine, params, train, validation, settings(150, **changed), observe or (lambda row: None)
    )


@pytest.mark.parametrize("gradient", ["manual", "autograd"])
@pytest.mark.parametrize("name", ["softmax", "two_layer"])
def test_training_lowers_the_loss_and_learns_the_classes(gradient, name):
    trained = fit(gradient, name)
    assert trained.history[-1]["train/loss"] < trained.history[0]["train/loss"] / 2
    assert max(row["validation/accuracy"] for row in trained.history) > 0.9  # a third by chance


def test_both_gradients_take_the_same_trajectory():
    manual, autograd = fit("manual"), fit("autograd")
    for ours, theirs in zip(manual.history, autograd.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)
    for name, value in manual.params.items():
        np.testing.assert_allclose(value, autograd.params[name], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("gradient", ["manual", "autograd"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_seed_gives_the_same_bits_in_the_type_of_the_samples(gradient, dtype):
    first, second = fit(gradient, dtype=dtype), fit(gradient, dtype=dtype)
    assert first.history == second.history
    for name, value in first.params.items():
        assert value.dtype == dtype
        assert value.tobytes() == second.params[name].tobytes()


def test_the_best_epoch_is_the_first_with_the_highest_validation_accuracy():
    trained = fit()
    accuracies = [row["validation/accuracy"] for row in trained.history]
    assert trained.best_epoch == accuracies.index(max(accuracies)) + 1
    loss, accuracy = training.assess(models.get("two_layer"), trained.params, samples(60, seed=1))
    row = trained.history[trained.best_epoch - 1]
    assert (loss, accuracy) == (row["validation/loss"], row["validation/accuracy"])


def test_later_epochs_do_not_change_the_best_parameters():
    trained = fit(epochs=30)
    assert trained.best_epoch < 30
    kept = fit(epochs=30).params
    again = training.assess(models.get("two_layer"), trained.params, samples(60, seed=1))
    assert again == training.assess(models.get("two_layer"), kept, samples(60, seed=1))
    assert again[1] == max(row["validation/accuracy"] for row in trained.history)


def test_every_epoch_is_observed_when_it_ends():
    seen = []
    trained = fit(observe=seen.append)
    assert seen == trained.history
    assert [row["epoch"] for row in seen] == list(range(1, EPOCHS + 1))


def test_the_loss_of_the_history_is_the_mean_before_each_update_penalty_included():
    frozen = fit(learning_rate=lambda completed: 0.0, momentum=0.0, penalty=Penalty("sum", 0.1), epochs=1)
    model = models.get("two_layer")
    data = samples(150)
    params = start(model)
    order = np.concatenate(list(sgd.minibatches(150, 16, False, generator(0, "minibatches"))))
    batches = [order[first : first + 16] for first in range(0, 150, 16)]
    losses = [
        gradients.get("manual").loss_and_grads(
            model, params, data.X[batch], data.y[batch], penalty=Penalty("sum", 0.1)
        )[0]
        for batch in batches
    ]
    assert frozen.history[0]["train/loss"] == pytest.approx(np.mean(losses), rel=1e-12)
    assert frozen.history[0]["validation/loss"] == training.assess(model, params, samples(60, seed=1))[0]


@pytest.mark.parametrize("gradient", ["manual", "autograd"])
def test_divergence_stops_at_once_and_says_where(gradient):
    seen = []
    where = r"epoch 1, minibatch \d+, at learning rate 1e\+06"
    with pytest.raises(training.DivergedError, match=where), np.errstate(over="ignore", invalid="ignore"):
        fit(gradient, learning_rate=lambda completed: 1e6, observe=seen.append)
    assert seen == []


def test_a_loss_that_is_no_number_stops_training():
    bad = samples(150)
    bad.X[20] = np.nan
    model = models.get("softmax")
    with pytest.raises(training.DivergedError, match="reached nan"):
        training.fit(model, gradients.get_trainable("manual"), start(model), bad, bad, settings(150))


def test_assessment_in_blocks_is_that_of_the_whole(monkeypatch):
    model, params, data = models.get("softmax"), start(models.get("softmax")), samples(150)
    whole = training.assess(model, params, data)
    monkeypatch.setattr(training, "SCORING_BATCH", 40)
    assert training.assess(model, params, data) == pytest.approx(whole, rel=1e-14)
    loss, _ = gradients.get("manual").loss_and_grads(model, params, data.X, data.y, penalty=NONE)
    assert whole[0] == pytest.approx(loss, rel=1e-14)
