"""Full-batch gradient descent, as the exercises run it."""

from collections.abc import Callable
from typing import Any, TypeAlias

from pipeline.learning.arrays import Params

# Parameters to the loss and its gradient.
Gradient: TypeAlias = Callable[[Params], tuple[Any, Params]]


def descend(
    params: Params,
    gradient: Gradient,
    learning_rate: float,
    iterations: int,
    observe: Callable[[int, float, Params], None],
) -> Params:
    """Return the parameters after so many updates; `params` stay as they are.

    `observe` gets each iteration's number from 0, the loss before its update, and the parameters after
    it, which the next update replaces and doesn't change.
    """
    for iteration in range(iterations):
        loss, grads = gradient(params)
        params = {name: value - learning_rate * grads[name] for name, value in params.items()}
        observe(iteration, float(loss), params)
    return params


def losses(
    params: Params, gradient: Gradient, learning_rate: float, iterations: int
) -> tuple[Params, list[dict[str, Any]]]:
    """Return the parameters after so many updates, and the trace of iteration and loss before the update."""
    trace: list[dict[str, Any]] = []
    last = descend(
        params,
        gradient,
        learning_rate,
        iterations,
        lambda iteration, loss, _: trace.append({"iteration": iteration, "loss": loss}),
    )
    return last, trace
