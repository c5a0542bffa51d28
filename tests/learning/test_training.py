from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics

from pipeline.learning import gradients, initialization, models, sgd, training
from pipeline.learning.arrays import Params
from pipeline.learning.blas import Sum
from pipeline.learning.gradients import manual
from pipeline.learning.penalty import NONE, Penalty
from pipeline.learning.training import DivergedError, Samples, Settings, Trained
from tests.learning.problems import copied, relative

TRAINABLE = pytest.mark.parametrize("engine", ["manual", "autograd"])
COLUMNS = ["epoch", "train/loss", "train/accuracy", "validation/loss", "validation/accuracy", "learning_rate"]


def clouds(N: int, seed: int = 0, dtype: type = np.float64) -> Samples:
    """Three overlapping normal clouds in four dimensions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=N)
    return Samples((rng.standard_normal((N, 4)) + 1.5 * np.eye(3, 4)[y]).astype(dtype), y)


def start(name: str = "two_layer", dtype: type = np.float64) -> Params:
    return initialization.normal(models.get(name).shapes(4, 3, 8), 0.5, np.random.default_rng(1), dtype)


def plan(
    epochs: int = 5,
    rate: float = 0.1,
    momentum: float = 0.9,
    penalty: Penalty = NONE,
    samples: int = 120,
    batch_size: int = 16,
    seed: int = 2,
) -> Settings:
    rng = np.random.default_rng(seed)
    return Settings(
        epochs,
        lambda completed: rate,
        momentum,
        penalty,
        lambda: sgd.minibatches(samples, batch_size, False, rng),
        -(-samples // batch_size),
    )


def trained(
    settings: Settings,
    name: str = "two_layer",
    engine: str = "manual",
    dtype: type = np.float64,
    params: Params | None = None,
    train: Samples | None = None,
    observe: Callable[[dict[str, float]], None] = lambda row: None,
) -> Trained:
    """Train on clouds; the native arrays are the engine's own."""
    chosen = gradients.get_trainable(engine)
    native = {k: chosen.to_native(v, "cpu") for k, v in (params or start(name, dtype)).items()}
    sets = [
        Samples(chosen.to_native(s.X, "cpu"), chosen.to_native(s.y, "cpu"))
        for s in (train or clouds(120, dtype=dtype), clouds(60, 5, dtype))
    ]
    return training.fit(models.get(name), chosen, native, *sets, settings, observe)


@TRAINABLE
@pytest.mark.parametrize("name", ["softmax", "two_layer", "sigmoid_network"])
def test_training_lowers_the_loss_and_raises_the_accuracy(name: str, engine: str) -> None:
    history = trained(plan(epochs=10), name, engine, np.float32).history
    assert history[-1]["train/loss"] < history[0]["train/loss"]
    assert history[-1]["validation/accuracy"] > 0.6  # of three classes


@pytest.mark.parametrize("name", ["softmax", "two_layer", "sigmoid_network"])
def test_manual_and_autograd_follow_the_same_trajectory(name: str) -> None:
    settings = {"penalty": Penalty("half", 0.01), "epochs": 4}
    ours, theirs = trained(plan(**settings), name), trained(plan(**settings), name, "autograd")
    assert ours.best_epoch == theirs.best_epoch
    for key, value in ours.params.items():
        assert relative(value, theirs.params[key]) < 1e-9
    for row, other in zip(ours.history, theirs.history, strict=True):
        assert row == pytest.approx(other, rel=1e-9)


def test_training_follows_torchs_own_layers_loss_optimiser_and_weight_decay() -> None:
    params, train = start(), clouds(120)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double()
    with torch.no_grad():
        for i, layer in ((1, network[0]), (2, network[2])):
            layer.weight.copy_(torch.from_numpy(params[f"W{i}"].T))
            layer.bias.copy_(torch.from_numpy(params[f"b{i}"]))
    weights, biases = ([getattr(network[i], kind) for i in (0, 2)] for kind in ("weight", "bias"))
    optimiser = torch.optim.SGD([{"params": weights, "weight_decay": 0.01}, {"params": biases}], 0.1, 0.9)
    settings = plan(epochs=3, penalty=Penalty("half", 0.01))  # whose gradient is weight decay's
    for _ in range(settings.epochs):
        for index in settings.minibatches():
            optimiser.zero_grad()
            scores = network(torch.from_numpy(train.X[index]))
            torch.nn.functional.cross_entropy(scores, torch.from_numpy(train.y[index])).backward()
            optimiser.step()
    training.fit(
        models.get("two_layer"),
        manual,
        params,
        train,
        clouds(60, 5),
        plan(epochs=3, penalty=Penalty("half", 0.01)),
    )
    for i, layer in ((1, network[0]), (2, network[2])):
        np.testing.assert_allclose(params[f"W{i}"], layer.weight.detach().numpy().T, rtol=1e-8)
        np.testing.assert_allclose(params[f"b{i}"], layer.bias.detach().numpy(), rtol=1e-8)


@TRAINABLE
def test_the_same_seed_trains_to_the_same_bits_and_another_order_does_not(engine: str) -> None:
    first, again = (trained(plan(), engine=engine, dtype=np.float32) for _ in range(2))
    other = trained(plan(seed=3), engine=engine, dtype=np.float32)
    assert first.history == again.history != other.history
    for key, value in first.params.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, again.params[key])


# History


def test_every_epoch_leaves_a_row_which_is_observed_at_once() -> None:
    rows: list[dict[str, float]] = []
    found = trained(plan(epochs=4), observe=rows.append)
    assert rows == found.history
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert all(list(row) == COLUMNS for row in rows)


def test_losses_of_a_row_are_the_minibatches_and_the_validation_sets_without_penalty() -> None:
    penalty, params, validation = Penalty("sum", 0.1), start(), clouds(60, 5)
    model, train = models.get("two_layer"), clouds(120)
    frozen = trained(plan(epochs=1, rate=0.0, penalty=penalty), params=copied(params)).history[0]
    batches = [
        manual.loss_and_grads(model, params, train.X[index], train.y[index])[0]
        for index in plan(epochs=1).minibatches()
    ]
    assert frozen["train/loss"] == pytest.approx(np.mean(batches), rel=1e-12)
    bare = manual.loss_and_grads(model, params, validation.X, validation.y)[0]
    assert frozen["validation/loss"] == pytest.approx(bare, rel=1e-12)
    glance = model.scores(params, train.X[:60]).argmax(1) == train.y[:60]
    assert frozen["train/accuracy"] == glance.mean()


def test_the_rate_is_asked_for_at_every_update_by_the_epochs_completed() -> None:
    asked: list[float] = []

    def rate(completed: float) -> float:
        asked.append(completed)
        return 0.1 / (1 + completed)

    settings = plan(epochs=2, samples=120, batch_size=40)
    changed = Settings(2, rate, 0.0, NONE, settings.minibatches, settings.batches_per_epoch)
    history = trained(changed).history
    assert asked == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])
    assert [row["learning_rate"] for row in history] == pytest.approx([0.1 / (5 / 3), 0.1 / (8 / 3)])


def test_gradients_of_weights_are_added_where_the_next_step_needs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, differentiate = [], manual.differentiate

    def watched(*batch: Any, **options: Any) -> Any:
        loss, grads = differentiate(*batch, **options)
        given.append({name for name, grad in grads.items() if isinstance(grad, Sum)})
        return loss, grads

    monkeypatch.setattr(manual, "differentiate", watched)
    trained(plan(epochs=1))
    assert given == [{"W1", "W2"}] * 8


@pytest.mark.parametrize("scored_at_a_time", [1, 7, 60, 2000])
def test_scoring_in_pieces_is_scikit_learns_log_loss_and_accuracy_of_the_whole(
    scored_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SCORING_BATCH", scored_at_a_time)
    samples, params = clouds(60), start()
    loss, accuracy = training.assess(models.get("two_layer"), params, samples)
    scores = models.get("two_layer").scores(params, samples.X)
    powers = np.exp(scores)
    expected = metrics.log_loss(samples.y, powers / powers.sum(axis=1, keepdims=True))
    assert loss == pytest.approx(expected, rel=1e-12)
    assert accuracy == metrics.accuracy_score(samples.y, scores.argmax(1))


# The best epoch


@TRAINABLE
def test_the_parameters_returned_are_those_of_the_first_epoch_of_the_best_validation(engine: str) -> None:
    found = trained(plan(epochs=12, rate=0.3), engine=engine)
    accuracies = [row["validation/accuracy"] for row in found.history]
    assert found.best_epoch == 1 + accuracies.index(max(accuracies)) < 12
    as_far = trained(plan(epochs=found.best_epoch, rate=0.3), engine=engine)
    for key, value in found.params.items():
        np.testing.assert_array_equal(value, as_far.params[key])
    best = training.assess(models.get("two_layer"), found.params, clouds(60, 5))[1]
    assert best == max(accuracies)


def test_of_equal_epochs_the_first_is_the_best() -> None:
    found = trained(plan(epochs=3, rate=0.0))
    assert found.best_epoch == 1
    assert len(found.history) == 3


def test_the_best_parameters_share_no_memory_with_those_trained_on() -> None:
    params = start()
    found = trained(plan(epochs=2), params=params)
    assert not any(np.shares_memory(value, params[key]) for key, value in found.params.items())


# Divergence


@TRAINABLE
@pytest.mark.parametrize("name", ["softmax", "two_layer"])
def test_a_diverging_training_stops_at_once_and_says_where(name: str, engine: str) -> None:
    steps: list[int] = []
    settings = plan(epochs=50, rate=1e6, momentum=0.99, penalty=Penalty("sum", 0.1))

    def counted() -> Iterator[Any]:
        for index in settings.minibatches():
            steps.append(len(index))
            yield index

    watched = Settings(50, settings.learning_rate, 0.99, settings.penalty, counted, 8)
    with pytest.raises(
        DivergedError, match=r"reached .* at epoch 1, minibatch 2, at learning rate 1e\+06; lo"
    ):
        trained(watched, name, engine)
    assert len(steps) == 2


@TRAINABLE
@pytest.mark.parametrize("name", ["softmax", "two_layer"])
def test_a_last_update_that_goes_too_far_is_divergence_too(name: str, engine: str) -> None:
    one_step = plan(epochs=1, rate=1e6, batch_size=120)  # of which the loss is from before it
    with pytest.raises(
        DivergedError, match=r"the validation loss is .* after epoch 1, at learning rate 1e\+06; lo"
    ):
        trained(one_step, name, engine)


@TRAINABLE
def test_inputs_that_are_no_numbers_stop_training_at_the_first_minibatch(engine: str) -> None:
    spoilt = clouds(120)
    spoilt.X[:] = np.nan
    with pytest.raises(DivergedError, match="reached nan at epoch 1, minibatch 1, at learning rate 0;"):
        trained(plan(), engine=engine, train=spoilt)


def test_a_loss_is_too_large_beside_the_first_of_all_and_not_beside_its_epochs_first() -> None:
    # At rate 0 every loss is its sample's: 0.01, 0.91, 5.
    samples = Samples(np.array([[2.3], [-0.2], [-2.5]]), np.zeros(3, int))
    epochs = iter([[[0], [0]], [[1], [2]]])
    still = Settings(2, lambda completed: 0.0, 0.0, NONE, lambda: map(np.array, next(epochs)), 2)
    params = {"W": np.array([[1.0, -1.0]]), "b": np.zeros(2)}
    with pytest.raises(DivergedError, match="the training loss reached 5.007 at epoch 2, minibatch 2"):
        training.fit(models.get("softmax"), manual, params, samples, samples.first(1), still)


def test_a_minibatch_made_ahead_leaves_the_one_that_is_trained_on_alone() -> None:
    found = [
        trained(replace(plan(), distort=distort)).params for distort in (None, lambda X: X, np.ndarray.copy)
    ]
    for other in found[1:]:
        for name, value in found[0].items():
            np.testing.assert_array_equal(other[name], value)


def test_a_loss_no_larger_than_the_first_is_no_divergence() -> None:
    # A mislabelled sample, a clear one, and the first again, at rate 0: nothing moves, so nothing diverges.
    samples = Samples(np.array([[5.0], [5.0]]), np.array([1, 0]))
    still = Settings(1, lambda completed: 0.0, 0.0, NONE, lambda: iter(np.array([[0], [1], [0]])), 3)
    params = {"W": np.array([[1.0, -1.0]]), "b": np.zeros(2)}
    history = training.fit(models.get("softmax"), manual, params, samples, samples, still).history
    assert history[0]["train/loss"] == pytest.approx(20 / 3, rel=1e-3)
