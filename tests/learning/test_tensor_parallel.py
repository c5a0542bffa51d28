"""A network trained in parts is the network trained as a whole."""

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline import ranks
from pipeline.learning import gradients, models, tensor_parallel, training
from pipeline.learning.arrays import Params
from pipeline.learning.gradients import manual
from pipeline.learning.penalty import NONE, Penalty
from pipeline.learning.training import DivergedError, Samples, Trained
from tests.learning.problems import copied, relative
from tests.learning.test_training import clouds, plan, start

MODEL = models.get("two_layer")
AXES = tensor_parallel.axes(MODEL)


def trained(settings: training.Settings, threads: int, dtype: type = np.float64, **how: Any) -> Trained:
    train, validation = clouds(120, dtype=dtype), clouds(60, 5, dtype)
    return tensor_parallel.fit(
        MODEL, manual, start(dtype=dtype), train, validation, settings, threads=threads, **how
    )


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of ranks at every call of `ranks.run`."""
    found, run = [], ranks.run
    monkeypatch.setattr(ranks, "run", lambda work, size: found.append(size) or run(work, size))
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_what_is_taken_apart_is_joined_as_it_was(count: int) -> None:
    whole = start()
    parts = tensor_parallel.split(whole, AXES, count)
    assert len(parts) == count
    widths = [part["b1"].size for part in parts]
    assert sum(widths) == 8
    assert max(widths) - min(widths) <= 1
    for part in parts:
        np.testing.assert_array_equal(part["b2"], whole["b2"])
    joined = tensor_parallel.join(parts, AXES)
    assert list(joined) == list(whole)
    for name in whole:
        np.testing.assert_array_equal(joined[name], whole[name])


@pytest.mark.parametrize("size", [2, 3])
def test_each_part_has_the_scores_of_the_whole_network_and_its_part_of_the_gradient(size: int) -> None:
    whole, samples = start(), clouds(40)
    whole["b2"] += [1.0, 2.0, 3.0]
    parts = tensor_parallel.split(whole, AXES, size)

    def differentiate(rank: ranks.Rank) -> tuple[Any, float, Params]:
        part = tensor_parallel.Part(MODEL, rank)
        own = parts[rank.number]
        return part.scores(own, samples.X), *manual.differentiate(part, own, samples.X, samples.y)

    expected_loss, expected = manual.loss_and_grads(MODEL, whole, samples.X, samples.y)
    found = ranks.run(differentiate, size)
    for scores, loss, _ in found:
        assert relative(scores, MODEL.scores(whole, samples.X)) < 1e-14
        assert loss == pytest.approx(expected_loss, rel=1e-14)
    for number, part in enumerate(tensor_parallel.split(expected, AXES, size)):
        for name, value in part.items():
            assert relative(found[number][2][name], value) < 1e-12


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("penalty", [NONE, Penalty("half", 0.01)])
def test_training_in_parts_follows_the_trajectory_of_the_whole(
    sizes: list[int], threads: int, penalty: Penalty
) -> None:
    whole = trained(plan(epochs=5, penalty=penalty), 1)
    parts = trained(plan(epochs=5, penalty=penalty), threads)
    assert sizes == [threads]
    assert parts.best_epoch == whole.best_epoch
    assert list(parts.params) == list(whole.params)
    for name in whole.params:
        assert relative(parts.params[name], whole.params[name]) < 1e-10
    assert list(parts.snapshots) == list(whole.snapshots)
    for epoch in whole.snapshots:
        assert relative(parts.snapshots[epoch], whole.snapshots[epoch]) < 1e-10
    for ours, theirs in zip(parts.history, whole.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-10)


def test_training_in_parts_gives_the_same_bits_every_time() -> None:
    first, second = (trained(plan(), 2, np.float32) for _ in range(2))
    assert first.history == second.history
    for name in first.params:
        assert first.params[name].dtype == np.float32
        np.testing.assert_array_equal(first.params[name], second.params[name])


def test_there_are_no_more_parts_than_hidden_units(sizes: list[int]) -> None:
    trained(plan(epochs=1), 64)
    assert sizes == [8]


def test_each_epoch_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    rows = []
    found = trained(plan(epochs=3), 2, observe=rows.append)
    assert rows == found.history
    assert capfd.readouterr() == ("", "")


def test_where_numpy_does_not_compute_or_a_model_has_no_parts_there_is_one_process(sizes: list[int]) -> None:
    for model, engine in (("softmax", "manual"), ("two_layer", "autograd")):
        chosen = gradients.get_trainable(engine)
        native = {name: chosen.to_native(value, "cpu") for name, value in start(model).items()}
        train = Samples(*(chosen.to_native(each, "cpu") for each in (clouds(120).X, clouds(120).y)))
        tensor_parallel.fit(models.get(model), chosen, native, train, train, plan(epochs=1), threads=2)
    assert sizes == []


def test_where_minibatches_are_distorted_or_processes_do_not_fork_there_is_one(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(replace(plan(epochs=1), distort=lambda X: X), 2)
    monkeypatch.setattr(ranks, "FORKS", False)
    trained(plan(epochs=1), 2)
    assert sizes == []


def test_a_divergence_is_raised_once_and_ends_every_process(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DivergedError, match="at learning rate 1e\\+09"), np.errstate(all="ignore"):
        trained(plan(rate=1e9), 2)
    assert capfd.readouterr() == ("", "")


def test_parts_that_do_not_see_the_same_losses_are_a_fault() -> None:
    this = os.getpid()
    settings = replace(plan(epochs=2), learning_rate=lambda completed: 0.1 if os.getpid() == this else 0.2)
    with pytest.raises(RuntimeError, match="saw different losses"):
        trained(settings, 2)


def test_parameters_given_stay_as_they_are() -> None:
    given = start()
    before = copied(given)
    tensor_parallel.fit(MODEL, manual, given, clouds(120), clouds(60, 5), plan(epochs=1), threads=2)
    for name in before:
        np.testing.assert_array_equal(given[name], before[name])
