"""The two-layer network by one of our engines; in turn with its epochs, the matrix products alone."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from arguments import parser

from pipeline import machine

options = parser(__doc__)
options.add_argument("--gradient", choices=["manual", "autograd"], default="manual")
options.add_argument("--window", type=int, help="samples shuffled together; all of them without it")
options.add_argument("--samples", type=int, help="of those there are; all of them without it")
options.add_argument("--without", help="what is taken back of what makes the engine fast; see without.py")
told = options.parse_args()
machine.prepare(told.threads)  # as a stage does, before NumPy is imported

import numpy as np

from benchmarks import without
from pipeline.datasets import splits
from pipeline.learning import gradients, initialization, models, sgd, tensor_parallel, training
from pipeline.learning.penalty import Penalty
from pipeline.learning.randomness import generator

INPUTS, CLASSES = 784, 10


def main() -> None:
    """Train, and print seconds by epoch, accuracy, the products' seconds and the most memory in use."""
    if told.without:
        without.STEPS[told.without]()
    engine, model = gradients.get_trainable(told.gradient), models.get("two_layer")
    machine.hold(told.threads)
    train, test = (samples(name, engine) for name in ("train", "test"))
    train = train.first(told.samples or len(train.y))
    batches = ceil(len(train.y) / told.batch_size)
    start = initialization.normal(model.shapes(INPUTS, CLASSES, told.hidden), None, generator(0, "start"))
    params = {name: engine.to_native(value, "cpu") for name, value in start.items()}
    minibatches = partial(
        sgd.minibatches, len(train.y), told.batch_size, False, generator(0, "minibatches"), told.window
    )
    this, seconds = os.getpid(), list[float]()
    products: list[float] = []

    def timed_epoch() -> Iterator[np.ndarray]:
        started = time.perf_counter()
        yield from minibatches()
        seconds.append(time.perf_counter() - started)
        if os.getpid() == this:  # and not in the processes that train with it, which wait for it
            with machine.held(told.threads):
                products.append(seconds_of_products(batches))

    settings = training.Settings(
        epochs=told.epochs,
        learning_rate=sgd.learning_rates("cosine", told.learning_rate, 1.0, told.epochs),
        momentum=0.9,
        penalty=Penalty("sum", told.penalty),
        minibatches=timed_epoch,
        batches_per_epoch=batches,
    )
    with anonymous_memory() as most:
        trained = tensor_parallel.fit(model, engine, params, train, test, settings, threads=told.threads)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "products": products,
                "accuracy": trained.history[-1]["validation/accuracy"],
                "anonymous_mb": most[0] / 1e6,
            }
        )
    )


def samples(split: str, engine: gradients.TrainingEngine) -> training.Samples:
    """Return a split as the stage train reads it: mapped into memory."""
    images, labels = splits.read(told.data / split)
    return training.Samples(
        engine.to_native(np.asarray(images), "cpu"), engine.to_native(labels.astype(np.int64), "cpu")
    )


def seconds_of_products(batches: int) -> float:
    """Time the five matrix products of a step, as often as an epoch has steps."""
    N, D, H, C = told.batch_size, INPUTS, told.hidden, CLASSES
    rng = np.random.default_rng(0)
    shapes = [(N, D), (D, H), (N, H), (H, C), (N, C), (D, H), (H, C)]
    X, W1, a1, W2, scores, dW1, dW2 = (rng.standard_normal(shape, np.float32) for shape in shapes)
    da1 = np.empty_like(a1)
    started = time.perf_counter()
    for _ in range(batches):
        np.matmul(X, W1, out=a1)
        np.matmul(a1, W2, out=scores)
        np.matmul(a1.T, scores, out=dW2)
        np.matmul(scores, W2.T, out=da1)
        np.matmul(X.T, da1, out=dW1)
    return time.perf_counter() - started


@contextmanager
def anonymous_memory() -> Iterator[list[int]]:
    """Yield a list that holds the most bytes of anonymous memory of all processes, looked at every 20 ms.

    What a process still shares with the one that it was forked from counts for both.
    """
    most, done = [0], threading.Event()
    children = Path(f"/proc/self/task/{os.getpid()}/children")

    def look() -> None:
        while not done.wait(0.02):
            processes = ["self", *children.read_text().split()]
            most[0] = max(most[0], sum(map(_anonymous, processes)))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def _anonymous(process: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return 1024 * int(line.split()[1])
    return 0  # it has ended


main()
