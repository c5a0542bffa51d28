"""Exercise 6: the softmax loss with loops, and where (p_j - 1{j = y_i})·x_i comes from.

Source: cs231n, assignment 1, the softmax classifier in the layout with the samples in columns.
The derivation is in docs/exercises/softmax_loops.md; each of its steps is checked in softmax_loops_steps.
"""

import statistics
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.exercises import checks, softmax_loops_counterparts, softmax_loops_steps
from pipeline.exercises.checks import relative_difference
from pipeline.exercises.outcome import Claim, Outcome, Trace, at_least, at_most, is_true
from pipeline.exercises.softmax_loops_steps import without_bias
from pipeline.learning.arrays import Array, Buffers, Workspace, fresh
from pipeline.learning.gradient_check import Problem
from pipeline.learning.gradients import manual
from pipeline.learning.models import softmax
from pipeline.learning.penalty import NONE, Penalty
from pipeline.learning.randomness import generator
from pipeline.params.exercise.softmax_loops import SoftmaxLoopsParams

TITLE = "Softmax loss with loops"
QUESTION = (
    "The published loop adds (p_j - 1{j = y_i})·x_i to row j of the gradient, for every sample i and every "
    "class j. Where does that come from, and how does one write it without loops?"
)
ANSWER = (
    "Class j's score s_j = w_j·x_i reaches the loss log Σ exp(s_k) - s_y in two places: the sum gives p_j, "
    "and the label's own score gives -1 where j = y_i; the chain rule multiplies by ds_j/dw_j = x_i. "
    "All samples and classes at once are one matrix product of the inputs with p - onehot(y)."
)
ASKED = "loss and gradient by loops over samples and classes"
ANSWERED = "loss and gradient by two matrix products, equal"
RECIPE = SoftmaxLoopsParams(
    seed=0, samples=500, inputs=3073, classes=10, initial_std=1e-4, penalty=0.001, draws=5
)
# exp overflows above 709.
LARGE_SCORE = 1000.0
# A number that follows N(0, 1) is larger once in 10^15 draws.
DEVIATIONS = 8.0
WEIGHT_SCALES = np.logspace(-5, 0, 21)
ROUNDS = 5
# Calls of a fast way that are timed together, to last about as long as one of the loops.
CALLS = 20


@dataclass(frozen=True)
class Inputs:
    """The samples in columns, as the course has them, and the weights to try."""

    X: Array  # (D, N), its last row the constant 1, whose weights are the biases
    y: Array  # (N,)
    Ws: list[Array]  # each (C, D)


def draw(settings: SoftmaxLoopsParams) -> Inputs:
    """Draw the inputs, then the labels, then each W, from one stream."""
    rng = np.random.RandomState(settings.seed)
    X = rng.randn(settings.inputs, settings.samples)  # (D, N)
    X[-1] = 1
    y = rng.randint(settings.classes, size=settings.samples)  # (N,)
    shape = (settings.classes, settings.inputs)
    return Inputs(X, y, [settings.initial_std * rng.randn(*shape) for _ in range(settings.draws)])


def softmax_loss_with_loops(W: Array, X: Array, y: Array, strength: float) -> tuple[Any, Array]:
    """Return the loss and dW (C, D) as the course's loops do: W (C, D), X (D, N), penalty ½·strength·ΣW².

    This is the reference: it shares no code with the model that it is compared with.
    """
    C, N = len(W), X.shape[1]
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(N):
        scores = np.array([W[j].dot(X[:, i]) for j in range(C)])  # (C,)
        scores -= scores.max()  # changes no probability, and no exp overflows
        exp_scores = np.exp(scores)
        p = exp_scores / exp_scores.sum()  # (C,)
        loss += np.log(exp_scores.sum()) - scores[y[i]]
        for j in range(C):
            dW[j] += (p[j] - (j == y[i])) * X[:, i]  # (D,)
    return loss / N + 0.5 * strength * np.sum(W * W), dW / N + strength * W


def softmax_loss(
    W: Array, X: Array, y: Array, penalty: Penalty, buffer: Buffers = fresh
) -> tuple[Any, Array]:
    """Return the loss and dW (D, C) without loops, samples in rows: W (D, C), X (N, D)."""
    loss, grads = manual.loss_and_grads(softmax, without_bias(W), X, y, penalty=penalty, buffer=buffer)
    return loss, grads["W"]


def softmax_loss_of_columns(
    W: Array, X: Array, y: Array, penalty: Penalty, buffer: Buffers = fresh
) -> tuple[Any, Array]:
    """Return the loss and dW (C, D) without loops, samples in columns: W (C, D), X (D, N).

    A transpose is a view: no number is copied, and BLAS reads either order.
    """
    loss, dW = softmax_loss(W.T, X.T, y, penalty, buffer)
    return loss, dW.T


def run(variant: str, settings: SoftmaxLoopsParams) -> Outcome:
    """Compute loss and gradient at a few random W, and show step by step why they are what they are."""
    inputs = draw(settings)
    X, y, Ws, penalty = inputs.X, inputs.y, inputs.Ws, Penalty("half", settings.penalty)
    looped = [softmax_loss_with_loops(W, X, y, penalty.strength) for W in Ws]
    vectorised = [softmax_loss_of_columns(W, X, y, penalty) for W in Ws]
    in_rows = [softmax_loss(_turned(W), _turned(X), y, penalty) for W in Ws]
    trace = _trace({"asked": looped, "answered": vectorised}[variant])
    differences = {
        "columns": [_worst(ours, theirs) for ours, theirs in zip(vectorised, looped, strict=True)],
        "rows": [_worst((loss, dW.T), by) for (loss, dW), by in zip(in_rows, looped, strict=True)],
    }
    standard = Ws[0] / settings.initial_std
    steps = softmax_loops_steps.check(X, y, penalty, settings.classes, settings.seed)
    results: dict[str, Any] = {
        "worst_relative_difference": float(np.max([*differences["columns"], *differences["rows"]])),
        "differences": differences,
        "allowed_difference": _rounding(max(float(np.abs(_scores(W, X)).max()) for W in Ws)),
        "loss_at_small_weights": trace[0]["loss"],
        "ln_C": float(np.log(settings.classes)),
        "ln_C_bound": _bound_of_ln_c(inputs, penalty, settings.initial_std),
        "loss_by_std": {
            "std": WEIGHT_SCALES.tolist(),
            "loss": [float(softmax_loss_of_columns(std * standard, X, y, NONE)[0]) for std in WEIGHT_SCALES],
        },
        "stable_at_large_scores": _at_large_scores(Ws[0], X, y, penalty),
        "steps": steps.errors,
        "sample": steps.sample,
        **softmax_loops_counterparts.compare(steps.W, X, y, penalty),
    }
    anywhere = {"W": steps.W.T, "b": generator(settings.seed, "bias").standard_normal(settings.classes)}
    claims = [
        *_claims(results),
        *softmax_loops_steps.claims(steps.errors),
        *softmax_loops_counterparts.claims(results),
        *checks.gradient_claims(Problem(softmax, X.T, y, penalty), anywhere, settings.seed),
        is_true("all inputs and weights are as they were drawn", _same(inputs, draw(settings))),
    ]
    return Outcome(
        "softmax",
        {"asked": "loops", "answered": "manual"}[variant],
        X.T,
        y,
        trace,
        results,
        claims,
        without_bias(_turned(Ws[0])),
        _print(trace, results),
    )


def timings(settings: SoftmaxLoopsParams) -> dict[str, float]:
    """Measure loops against matrix products in the course's layout, and with the samples in rows."""
    inputs, penalty = draw(settings), Penalty("half", settings.penalty)
    W, X, y = inputs.Ws[0], inputs.X, inputs.y
    W_in_rows, X_in_rows = _turned(W), _turned(X)
    columns, rows = Workspace(X.dtype), Workspace(X.dtype)
    ways: dict[str, Callable[[], Any]] = {
        "loops": lambda: softmax_loss_with_loops(W, X, y, penalty.strength),
        "vectorised": lambda: softmax_loss_of_columns(W, X, y, penalty, columns),
        "vectorised_in_rows": lambda: softmax_loss(W_in_rows, X_in_rows, y, penalty, rows),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            calls = 1 if name == "loops" else CALLS
            if calls > 1:
                way()  # the one before has left its own numbers in the caches
            seconds[name].append(timeit.timeit(way, number=calls) / calls)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    return {
        **{f"{name}_seconds": median for name, median in medians.items()},
        "speedup": medians["loops"] / medians["vectorised"],
        "speedup_in_rows": medians["loops"] / medians["vectorised_in_rows"],
    }


def _turned(array: Array) -> Array:
    """Return the transpose in memory of its own, row after row."""
    return np.ascontiguousarray(array.T)


def _trace(found: list[tuple[Any, Array]]) -> Trace:
    return [
        {"iteration": at, "loss": float(loss), "gradient_norm": float(np.linalg.norm(dW))}
        for at, (loss, dW) in enumerate(found)
    ]


def _worst(ours: tuple[Any, Array], theirs: tuple[Any, Array]) -> float:
    """Return the larger relative difference of the losses' and the gradients'."""
    return float(np.max([relative_difference(a, b) for a, b in zip(ours, theirs, strict=True)]))


def _scores(W: Array, X: Array) -> Array:
    return softmax.scores(without_bias(W.T), X.T)  # (N, C)


def _bound_of_ln_c(inputs: Inputs, penalty: Penalty, std: float) -> float:
    """Return how far from ln C the loss of the first W may lie, if its elements follow std·N(0, 1).

    A sample's loss is ln C + (mean of its scores - the label's score) + ln mean exp(scores - their mean).
    Averaged over the samples, the part in the middle is linear in W; its slope is G, the gradient at
    W = 0, so it follows N(0, std²·‖G‖²). The last part is at least 0 (Jensen) and at most R²/8
    (Hoeffding's lemma), R the largest score minus the smallest. Scores follow N(0, std²·‖x‖²).
    """
    W, X, y = inputs.Ws[0], inputs.X, inputs.y
    G = softmax_loss_of_columns(np.zeros_like(W), X, y, NONE)[1]  # (C, D)
    R = 2 * DEVIATIONS * std * np.linalg.norm(X, axis=0)  # (N,)
    linear, curved = DEVIATIONS * std * np.linalg.norm(G), np.mean(R**2) / 8
    return float(linear + curved + penalty.value({"W": W}, len(y)))


def _at_large_scores(W: Array, X: Array, y: Array, penalty: Penalty) -> dict[str, float]:
    """Compare loops and matrix products where the largest score is 1000, and count what fails unshifted."""
    scores = _scores(W, X)
    W = W * (LARGE_SCORE / scores.flat[np.abs(scores).argmax()])
    looped = softmax_loss_with_loops(W, X, y, penalty.strength)
    vectorised = softmax_loss_of_columns(W, X, y, penalty)
    probabilities = softmax_without_the_shift(_scores(W, X))
    return {
        "largest_score": float(np.abs(_scores(W, X)).max()),
        "loss": float(vectorised[0]),
        "relative_difference": _worst(vectorised, looped),
        "samples_lost_without_the_shift": int(np.sum(~np.isfinite(probabilities).all(axis=1))),
    }


def softmax_without_the_shift(scores: Array) -> Array:
    """Return exp(s) / Σ exp(s) as it is written, scores (N, C): the faulty way, which overflows."""
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        exp_scores = np.exp(scores)
        return exp_scores / exp_scores.sum(axis=1, keepdims=True)  # (N, C)


def _claims(results: dict[str, Any]) -> list[Claim]:
    stable = results["stable_at_large_scores"]
    return [
        at_most(
            "loops and matrix products, in both layouts: loss and gradient differ by, relative",
            results["worst_relative_difference"],
            results["allowed_difference"],
        ),
        at_most(
            f"the loss of the first W lies from ln C = {results['ln_C']:.6f} by",
            abs(results["loss_at_small_weights"] - results["ln_C"]),
            results["ln_C_bound"],
        ),
        at_most(
            f"with a score of {LARGE_SCORE:g}, loops and matrix products differ by, relative",
            stable["relative_difference"],
            _rounding(LARGE_SCORE),
        ),
        at_least(
            "without the shift, samples whose probabilities are no numbers there",
            stable["samples_lost_without_the_shift"],
            1,
        ),
    ]


def _rounding(largest_score: float) -> float:
    """Return what two orders of summation may differ by.

    A probability inherits the rounding of the scores, which is relative to their size.
    """
    return 1e-12 * max(1.0, largest_score)


def _same(inputs: Inputs, others: Inputs) -> bool:
    pairs = zip([inputs.X, inputs.y, *inputs.Ws], [others.X, others.y, *others.Ws], strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def _print(trace: Trace, results: dict[str, Any]) -> list[str]:
    """Return the losses, the course's sanity check, and one sample's gradient of the scores."""
    sample = results["sample"]
    columns = zip(
        sample["scores"], sample["probabilities"], sample["dscores"], sample["differences"], strict=True
    )
    return [
        *(
            f"W {row['iteration']}: loss {row['loss']:f}, gradient norm {row['gradient_norm']:f}"
            for row in trace
        ),
        f"sanity check: ln C = {results['ln_C']:f}",
        f"one sample, its label {sample['label']}:",
        "class      score          p   1{j=y}   p - 1{j=y}   by differences",
        *(
            f"{j:5d} {score:10.6f} {p:10.6f} {int(j == sample['label']):8d} {ds:12.6f} {difference:16.6f}"
            for j, (score, p, ds, difference) in enumerate(columns)
        ),
    ]
