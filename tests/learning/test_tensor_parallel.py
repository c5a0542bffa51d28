"""A network trained in parts is the network trained as a whole."""

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from pipeline import ranks
from pipeline.learning import gradients, models, tensor_parallel, training
from pipeline.learning.arrays import Params
from pipeline.learning.gradients import manual
from pipeline.learning.penalty import NONE, Penalty
from pipeline.learning.training import DivergedError, Samples, Trained
from tests.learning.problems import relative
from tests.learning.test_training import clouds, plan, start

pytestmark = pytest.mark.skipif(not ranks.FORKS, reason="one process computes here")
MODEL = models.get("two_layer")
NETWORKS = pytest.mark.parametrize("name", ["two_layer", "sigmoid_network", "two_layer_regression"])


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


@NETWORKS
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_what_is_taken_apart_is_joined_as_it_was(name: str, count: int) -> None:
    model, whole = models.get(name), start(name)
    parts = tensor_parallel.split(model, whole, count)
    assert len(parts) == count
    widths = [part["W2"].shape[0] for part in parts]
    assert sum(widths) == 8
    assert max(widths) - min(widths) <= 1
    for width, part in zip(widths, parts, strict=True):
        assert {key: value.shape for key, value in part.items()} == model.shapes(4, 3, width)
    joined = tensor_parallel.join(model, parts)
    assert list(joined) == list(whole)
    for key in whole:
        np.testing.assert_array_equal(joined[key], whole[key])


@NETWORKS
@pytest.mark.parametrize("size", [2, 3])
def test_each_part_has_the_scores_of_the_whole_network_and_its_part_of_the_gradient(
    name: str, size: int
) -> None:
    model, whole, samples = models.get(name), start(name), clouds(40)
    y = samples.y if model.LOSS.takes_labels else np.eye(3)[samples.y]
    if "b2" in whole:
        whole["b2"] += [1.0, 2.0, 3.0]
    parts = tensor_parallel.split(model, whole, size)

    def differentiate(rank: ranks.Rank) -> tuple[Any, float, Params]:
        own = parts[rank.number]
        part = tensor_parallel.Part(model, rank, own)
        return part.scores(own, samples.X), *manual.differentiate(part, own, samples.X, y)

    expected_loss, expected = manual.loss_and_grads(model, whole, samples.X, y)
    found = ranks.run(differentiate, size)
    for scores, loss, _ in found:
        assert relative(scores, model.scores(whole, samples.X)) < 1e-14
        assert loss == pytest.approx(expected_loss, rel=1e-14)
    for number, part in enumerate(tensor_parallel.split(model, expected, size)):
        for key, value in part.items():
            assert relative(found[number][2][key], value) < 1e-12


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
    def observe(row: training.Row) -> None:
        os.write(1, f"{row}\n".encode())  # which every process could

    found = trained(plan(epochs=3), 2, observe=observe)
    assert capfd.readouterr() == ("".join(f"{row}\n" for row in found.history), "")


@pytest.mark.parametrize(
    ("model", "threads", "each"), [("two_layer", 2, 1), ("two_layer", 17, 2), ("softmax", 2, 2)]
)
def test_all_processes_together_compute_with_so_many_threads(model: str, threads: int, each: int) -> None:
    def rate(completed: float) -> float:
        """As large as the BLAS here has threads, so that it is known afterwards."""
        [blas] = [found for found in threadpool_info() if "numpy" in found["filepath"]]
        return 1e-6 * float(blas["num_threads"])

    settings = replace(plan(epochs=1), learning_rate=rate)
    train = clouds(120)
    found = tensor_parallel.fit(
        models.get(model), manual, start(model), train, train, settings, threads=threads
    )
    assert [row["learning_rate"] for row in found.history] == [1e-6 * each]


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
