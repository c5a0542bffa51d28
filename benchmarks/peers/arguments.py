"""What every program is told, and how it answers: one line of JSON."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the sizes and rates to train with."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--data", type=Path, required=True, help="folder of the splits train and test")
    options.add_argument("--hidden", type=int, default=800)
    options.add_argument("--batch-size", type=int, default=128)
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--learning-rate", type=float, default=0.05)
    options.add_argument("--penalty", type=float, default=1e-5, help="times the sum of the squared weights")
    options.add_argument("--threads", type=int, default=2)
    return options


def answer(train_epoch: Callable[[int], None], accuracy: Callable[[], float], epochs: int) -> None:
    """Train epoch by epoch and print the seconds of each, and the test accuracy at the end."""
    seconds = []
    for epoch in range(epochs):
        started = time.perf_counter()
        train_epoch(epoch)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "accuracy": accuracy()}))
