import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning import sgd

EPOCHS = 5


def test_a_constant_rate_never_changes():
    rate = sgd.learning_rates("constant", 0.1, 0.5, EPOCHS)
    assert [rate(completed) for completed in (0, 0.5, 4.99)] == [0.1] * 3


def test_an_exponential_rate_falls_after_every_completed_epoch():
    rate = sgd.learning_rates("exponential", 0.1, 0.95, EPOCHS)
    assert rate(0) == rate(0.99) == 0.1
    assert rate(3) == rate(3.5) == pytest.approx(0.1 * 0.95**3, rel=1e-15)


def test_a_cosine_rate_is_that_of_torch():
    parameter = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.SGD([parameter], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=EPOCHS)
    rate = sgd.learning_rates("cosine", 0.1, 0.5, EPOCHS)
    for epoch in range(EPOCHS + 1):
        assert rate(epoch) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-15)
        optimiser.step()
        schedule.step()


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**32 - 1))
def test_without_replacement_every_sample_comes_once(samples, batch_size, seed):
    batches = list(sgd.minibatches(samples, batch_size, False, np.random.default_rng(seed)))
    assert sorted(np.concatenate(batches)) == list(range(samples))
    assert len(batches) == math.ceil(samples / batch_size)
    assert all(len(batch) == min(batch_size, samples) for batch in batches[:-1])


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**32 - 1))
def test_with_replacement_there_are_as_many_minibatches_and_all_are_full(samples, batch_size, seed):
    batches = list(sgd.minibatches(samples, batch_size, True, np.random.default_rng(seed)))
    assert len(batches) == math.ceil(samples / batch_size)
    assert all(len(batch) == min(batch_size, samples) for batch in batches)
    assert all(0 <= index < samples for batch in batches for index in batch)


def test_with_replacement_samples_come_twice():
    batch = next(sgd.minibatches(100, 100, True, np.random.default_rng(0)))
    # All 100 different has the probability 100!/100^100, about 1e-42.
    assert len(set(batch)) < 100


def test_each_epoch_has_an_order_of_its_own():
    rng = np.random.default_rng(0)
    first, second = (np.concatenate(list(sgd.minibatches(50, 8, False, rng))) for _ in range(2))
    assert not np.array_equal(first, second)


def test_momentum_takes_the_steps_of_torch():
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(7), rng.standard_normal((20, 7))
    theirs = torch.from_numpy(start.copy()).requires_grad_()
    optimiser = torch.optim.SGD([theirs], lr=0.1, momentum=0.9)
    ours = {"W": start.copy()}
    momentum = sgd.Momentum(ours, 0.9)
    for gradient in gradients:
        momentum.step(ours, {"W": gradient.copy()}, 0.1)
        theirs.grad = torch.from_numpy(gradient.copy())
        optimiser.step()
    np.testing.assert_allclose(ours["W"], theirs.detach().numpy(), rtol=1e-12)


def test_without_momentum_a_step_is_rate_times_gradient():
    ours = {"W": np.array([1.0, 2.0])}
    sgd.Momentum(ours, 0.0).step(ours, {"W": np.array([10.0, -10.0])}, 0.01)
    np.testing.assert_allclose(ours["W"], [0.9, 2.1], rtol=1e-15)
