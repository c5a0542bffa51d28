import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning import models, sgd
from pipeline.learning.arrays import Workspace, fresh
from pipeline.learning.blas import Sum
from pipeline.learning.gradients import autograd, manual
from pipeline.learning.penalty import Penalty
from pipeline.learning.sgd import Momentum, largest_stable_rate
from tests.learning.problems import copied

rng = np.random.default_rng
relaxed = settings(max_examples=40, deadline=None)
sizes = given(samples=st.integers(1, 60), batch_size=st.integers(1, 80), seed=st.integers(0, 2**32 - 1))


# Schedules


@relaxed
@given(st.floats(0, 20))
def test_a_constant_rate_never_changes(completed: float) -> None:
    assert sgd.learning_rates("constant", 0.3, 0.5, 20)(completed) == 0.3


def test_an_exponential_rate_decays_at_each_completed_epoch_and_not_within_one() -> None:
    rate = sgd.learning_rates("exponential", 0.4, 0.5, 3)
    assert [rate(e) for e in (0, 0.5, 0.999, 1, 1.5, 2)] == [0.4, 0.4, 0.4, 0.2, 0.2, 0.1]


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_a_cosine_rate_is_torchs_cosine_annealing(steps: int) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=0.4)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)
    rate = sgd.learning_rates("cosine", 0.4, 0.5, 10)
    for step in range(steps + 1):
        assert rate(10 * step / steps) == pytest.approx(annealing.get_last_lr()[0], rel=1e-9, abs=1e-12)
        optimiser.step()
        annealing.step()


def test_a_cosine_rate_starts_at_the_initial_one_is_halved_midway_and_ends_at_zero() -> None:
    rate = sgd.learning_rates("cosine", 0.4, 0.5, 8)
    assert rate(0) == 0.4
    assert rate(4) == pytest.approx(0.2, rel=1e-15)
    assert rate(8) == 0


# Minibatches


@relaxed
@sizes
def test_without_replacement_every_sample_comes_once_and_the_rest_last(samples, batch_size, seed) -> None:
    batches = list(sgd.minibatches(samples, batch_size, False, rng(seed)))
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(samples))
    full = min(batch_size, samples)
    assert [len(batch) for batch in batches[:-1]] == [full] * (math.ceil(samples / full) - 1)
    assert len(batches[-1]) == samples - full * (len(batches) - 1)


@relaxed
@sizes
def test_with_replacement_there_are_as_many_minibatches_and_all_are_full(samples, batch_size, seed) -> None:
    batches = list(sgd.minibatches(samples, batch_size, True, rng(seed)))
    full = min(batch_size, samples)
    assert [len(batch) for batch in batches] == [full] * math.ceil(samples / full)
    assert all(((batch >= 0) & (batch < samples)).all() for batch in batches)


def test_with_replacement_samples_come_independently_and_evenly() -> None:
    drawn = np.concatenate([b for e in range(200) for b in sgd.minibatches(50, 10, True, rng(e))])
    assert any(len(set(batch)) < 10 for batch in sgd.minibatches(50, 10, True, rng(0)))
    # 10,000 draws of 50: each comes 200 times with a standard deviation of √(200·0.98) = 14.
    assert np.abs(np.bincount(drawn, minlength=50) - 200).max() < 4 * 14


@pytest.mark.parametrize("replacement", [False, True])
def test_one_generator_orders_every_epoch_anew_and_the_same_seed_alike(replacement: bool) -> None:
    def epochs() -> list[list[int]]:
        generator = rng(3)
        return [
            np.concatenate(list(sgd.minibatches(40, 7, replacement, generator))).tolist() for _ in range(2)
        ]

    assert epochs() == epochs()
    assert epochs()[0] != epochs()[1]


# Windows


@relaxed
@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 600), st.integers(0, 99))
def test_with_a_window_every_sample_still_comes_once_in_full_minibatches(
    samples: int, batch_size: int, window: int, seed: int
) -> None:
    batches = list(sgd.minibatches(samples, batch_size, False, rng(seed), window))
    assert sorted(np.concatenate(batches)) == list(range(samples))
    full = min(batch_size, samples)
    assert all(len(batch) == full for batch in batches[:-1])
    assert 0 < len(batches[-1]) <= full
    assert len(batches) == math.ceil(samples / full)


def test_a_window_holds_blocks_of_neighbours_from_everywhere_shuffled() -> None:
    found = list(sgd.windows(10_000, 640, rng(0)))
    assert [len(window) for window in found[:-1]] == [640] * (len(found) - 1)
    for window in found[:-1]:
        blocks, counts = np.unique(window // 20, return_counts=True)
        assert len(blocks) == sgd.BLOCKS
        assert (counts == 20).all()
        assert np.ptp(window) > 5_000
        assert (np.diff(window) == 1).mean() < 0.05
    again = list(sgd.windows(10_000, 640, rng(0)))
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(again))


def test_a_window_of_everything_is_the_plain_shuffle() -> None:
    plain, windowed = (list(sgd.minibatches(50, 8, False, rng(1), window)) for window in (None, 50))
    np.testing.assert_array_equal(np.concatenate(plain), np.concatenate(windowed))
    np.testing.assert_array_equal(np.concatenate(plain), rng(1).permutation(50))


# Momentum


def take(optimiser: Momentum, grads, rate: float, shrinkage: float = 0.0) -> None:
    """Take a step down the gradient, as training does."""
    optimiser.step({name: rate * optimiser.scale * grad for name, grad in grads.items()}, shrinkage)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_momentum_is_torchs_at_a_constant_rate(momentum: float) -> None:
    params = {"W": rng(0).standard_normal((3, 2)), "b": rng(1).standard_normal(2)}
    theirs = [torch.nn.Parameter(torch.from_numpy(value.copy())) for value in params.values()]
    optimiser = torch.optim.SGD(theirs, lr=0.1, momentum=momentum)
    ours = Momentum(manual, params, momentum)
    for step in range(20):
        grads = {name: rng([step, len(name)]).standard_normal(v.shape) for name, v in params.items()}
        for parameter, grad in zip(theirs, grads.values(), strict=True):
            parameter.grad = torch.from_numpy(grad.copy())
        optimiser.step()
        take(ours, grads, 0.1)
    for value, parameter in zip(params.values(), theirs, strict=True):
        np.testing.assert_allclose(value, parameter.detach().numpy(), rtol=1e-12)


def test_under_a_constant_gradient_momentum_moves_by_its_closed_form() -> None:
    # After k steps: -rate·g·Σ_{j=1..k} (1 - μʲ)/(1 - μ).
    params, grad, mu, rate = {"W": np.zeros((2, 2))}, np.array([[1.0, -2.0], [0.5, 0.0]]), 0.9, 0.05
    optimiser = Momentum(manual, params, mu)
    for _ in range(30):
        take(optimiser, {"W": grad}, rate)
    expected = -rate * grad * sum((1 - mu**j) / (1 - mu) for j in range(1, 31))
    np.testing.assert_allclose(params["W"], expected, rtol=1e-12)


def test_a_new_rate_applies_to_the_new_gradient_alone() -> None:
    # v ← μ·v - rate·g, as scikit-learn's SGDOptimizer; torch would apply the new rate to the whole velocity.
    params = {"W": np.zeros(1)}
    optimiser = Momentum(manual, params, 0.5)
    for rate in (1.0, 0.1):
        take(optimiser, {"W": np.ones(1)}, rate)
    assert params["W"][0] == pytest.approx(-1 - (0.5 + 0.1))


def test_on_a_quadratic_momentum_follows_its_two_term_recurrence() -> None:
    # Polyak 1964: x ← x - rate·λ·x + μ·(x - x_before).
    params, curvature, mu, rate = {"W": np.array([1.0])}, 3.0, 0.8, 0.1
    optimiser, before, x = Momentum(manual, params, mu), 1.0, 1.0
    for _ in range(50):
        take(optimiser, {"W": curvature * params["W"]}, rate)
        before, x = x, x - rate * curvature * x + mu * (x - before)
        assert params["W"][0] == pytest.approx(x, rel=1e-9)


def test_without_momentum_a_step_is_rate_times_gradient_and_in_place_on_tensors() -> None:
    start = {"W": np.array([[1.0, 2.0]]), "b": np.array([3.0])}
    grads = {"W": np.array([[0.5, -1.0]]), "b": np.array([2.0])}
    arrays, tensors = copied(start), {k: torch.from_numpy(v.copy()) for k, v in start.items()}
    by_hand, by_torch = Momentum(manual, arrays, 0.0), Momentum(autograd, tensors, 0.0)
    held = tensors["W"]
    take(by_hand, grads, 0.1)
    take(by_torch, {name: torch.from_numpy(grad) for name, grad in grads.items()}, 0.1)
    assert tensors["W"] is held
    for name, value in start.items():
        np.testing.assert_allclose(arrays[name], value - 0.1 * grads[name], rtol=1e-15)
        np.testing.assert_array_equal(tensors[name].numpy(), arrays[name])


@pytest.mark.parametrize("kind", ["sum", "half", "per_sample"])
def test_the_penalty_in_the_update_is_the_one_in_the_gradient(kind: str) -> None:
    params = {"W": rng(0).standard_normal((3, 2)), "b": rng(1).standard_normal(2)}
    grads = {name: rng(2).standard_normal(value.shape) for name, value in params.items()}
    penalty, updated, expected = Penalty(kind, 0.3), copied(params), copied(params)
    take(Momentum(manual, updated, 0.0), grads, 0.1, 0.1 * penalty.shrinkage(7))
    penalty.add_gradient(grads, params, 7)
    take(Momentum(manual, expected, 0.0), grads, 0.1)
    for name, value in expected.items():
        np.testing.assert_allclose(updated[name], value, rtol=1e-14)


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_a_float32_weight_without_gradient_shrinks_by_the_penalty_to_the_last_place(momentum: float) -> None:
    # Below half a unit in the last place of 1, a step of it is lost.
    for shrinkage in np.geomspace(2e-7, 1e-2, 200):
        params = {"W": np.ones(1, np.float32)}
        Momentum(manual, params, momentum).step({"W": np.zeros(1, np.float32)}, shrinkage)
        assert params["W"][0] == pytest.approx(1 - shrinkage, abs=np.finfo(np.float32).epsneg, rel=0)


def test_a_gradient_stays_as_it_is() -> None:
    params = {"W": rng(0).standard_normal((7, 5)).astype(np.float32), "b": np.ones(5, np.float32)}
    optimiser = Momentum(manual, params, 0.9)
    grads = {name: rng(1).standard_normal(value.shape, np.float32) for name, value in params.items()}
    before = copied(grads)
    for _ in range(4):
        optimiser.step(grads, 0.01)
    for name, grad in before.items():
        np.testing.assert_array_equal(grads[name], grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [4, 300], ids=["few", "many"])
def test_a_step_from_where_the_backward_pass_adds_is_the_one_of_a_gradient_elsewhere(
    hidden: int, dtype: type
) -> None:
    network, workspace, penalty = models.get("two_layer"), Workspace(np.dtype(dtype)), Penalty("sum", 0.01)
    start = {
        name: rng(0).standard_normal(shape).astype(dtype) / 10
        for name, shape in network.shapes(60, 3, hidden).items()
    }
    X, y = rng(1).standard_normal((5, 60)).astype(dtype), np.array([0, 1, 2, 0, 1])
    there, elsewhere = copied(start), copied(start)
    adding, copying = Momentum(manual, there, 0.9, workspace), Momentum(manual, elsewhere, 0.9)
    for _ in range(150):  # over two changes of the unit
        for optimiser, params, buffer in ((adding, there, workspace), (copying, elsewhere, fresh)):
            rate = 0.01 * optimiser.scale
            _, grads = manual.differentiate(network, params, X, y, rate=rate, buffer=buffer)
            assert isinstance(grads["W1"], Sum) == (optimiser is adding)
            optimiser.step(grads, 0.01 * penalty.shrinkage(5))
    for name, value in elsewhere.items():
        np.testing.assert_allclose(there[name], value, rtol=0, atol=300 * np.finfo(dtype).eps)
    assert not np.allclose(there["W1"], start["W1"], atol=0.01)


@pytest.mark.parametrize("momentum", [1e-4, 0.5, 0.9, 0.99])
def test_in_float32_many_steps_are_those_in_float64_but_for_rounding(momentum: float) -> None:
    # A gradient is added in a unit that shrinks by the momentum a step, and must not overflow.
    start = rng(0).standard_normal((3, 2))
    narrow, wide = {"W": start.astype(np.float32)}, {"W": start.astype(np.float32).astype(np.float64)}
    optimisers = Momentum(manual, narrow, momentum), Momentum(manual, wide, momentum)
    scales = []
    for step in range(3000):
        grad = rng(step).standard_normal((3, 2)).astype(np.float32)
        for optimiser in optimisers:
            scales.append(optimiser.scale)
            take(optimiser, {"W": grad}, 0.001 * (1 - momentum), 1e-5)
    powers = [momentum**-step for step in range(1000) if momentum**step >= 1 / 1024]
    assert (min(scales), max(scales)) == pytest.approx((1, max(powers)))
    np.testing.assert_allclose(narrow["W"], wide["W"], rtol=1e-5, atol=1e-6)


def test_both_engines_take_the_same_steps() -> None:
    arrays = {"W": rng(0).standard_normal((3, 2)), "b": rng(1).standard_normal(2)}
    tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
    by_hand, by_torch = Momentum(manual, arrays, 0.9), Momentum(autograd, tensors, 0.9)
    for step in range(5):
        grads = {name: rng(step).standard_normal(value.shape) for name, value in arrays.items()}
        theirs = {name: torch.from_numpy(grad.copy()) for name, grad in grads.items()}
        take(by_hand, grads, 1.0, 0.02)
        take(by_torch, theirs, 1.0, 0.02)
    for name, value in arrays.items():
        np.testing.assert_allclose(tensors[name].numpy(), value, rtol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_a_rate_below_the_largest_stable_one_shrinks_on_a_quadratic_and_one_above_grows(
    momentum: float,
) -> None:
    curvature = 3.0
    for factor, shrinks in ((0.95, True), (1.05, False)):
        rate = factor * largest_stable_rate(curvature, momentum)
        params = {"W": np.ones((1, 1))}
        optimiser = Momentum(manual, params, momentum)
        for _ in range(1000):
            take(optimiser, {"W": curvature * params["W"]}, rate)
        assert (abs(params["W"].item()) < 1) == shrinks
