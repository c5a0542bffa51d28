"""Faults that several exercises must see, planted in what they all use."""

from pipeline.learning.penalty import Penalty


def halve_the_penalty(monkeypatch):
    """A ½ too many in the penalty's value, and none in its gradient."""
    right = Penalty.value
    monkeypatch.setattr(Penalty, "value", lambda *given: 0.5 * right(*given))


def penalise_biases(monkeypatch):
    """The penalty's gradient for every parameter."""

    def add_gradient(penalty, grads, params, samples):
        for name in params:
            grads[name] += 2 * penalty.coefficient(samples) * params[name]

    monkeypatch.setattr(Penalty, "add_gradient", add_gradient)


def change_inputs(monkeypatch, model):
    """A backward that leaves X other than it was."""
    right = model.backward

    def backward(params, X, *given):
        X += 1e-9
        return right(params, X, *given)

    monkeypatch.setattr(model, "backward", backward)


def transpose_dW2(monkeypatch, model):
    """The second layer's gradient the wrong way round, which fits where W2 is square."""
    right = model.backward

    def backward(*given):
        grads = right(*given)
        return {**grads, "W2": grads["W2"].T}

    monkeypatch.setattr(model, "backward", backward)
