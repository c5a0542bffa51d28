"""Stage train: one model by one gradient, minibatch descent with momentum, best epoch by validation."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import params
from pipeline.datasets import normalization, splits
from pipeline.errors import UserError
from pipeline.learning import gradients, initialization, models, sgd, tensor_parallel, training
from pipeline.learning.arrays import Array
from pipeline.learning.distortions import Distorter, Distortion
from pipeline.learning.gradients import TrainingEngine
from pipeline.learning.penalty import Penalty
from pipeline.learning.randomness import generator
from pipeline.params.seed import SeedParams
from pipeline.params.threads import ThreadsParams
from pipeline.params.train import SECTIONS, TrainParams
from pipeline.stages import progress, records
from pipeline.tracking import run_directory
from pipeline.tracking.reporter import reporting


def main(model_name: str, gradient_name: str) -> None:
    """Train and leave the run directory; a diverging loss or a missing device is a UserError."""
    if model_name not in SECTIONS:
        raise UserError(f"model {model_name!r}: choose one of {', '.join(SECTIONS)}")
    section = f"train.{model_name}"
    settings = params.load(SECTIONS[model_name], section)
    seed = params.load_fields(SeedParams).seed
    name = f"{model_name}-{gradient_name}"
    try:
        engine = gradients.get_trainable(gradient_name)
    except ValueError as error:
        raise UserError(str(error)) from None
    with reporting(name, experiment="mnist") as report, progress.epochs(name, settings.epochs) as show:

        def observe(row: training.Row) -> None:
            report.row(row)
            show(row)

        try:
            # The manual gradient is NumPy's, on the CPU, whatever torch computes on.
            device = settings.device if gradient_name == "autograd" else "cpu"
            trained = _train(model_name, engine, device, settings, seed, observe)
        except training.DivergedError as error:
            stable = _largest_stable_rate(models.get(model_name), settings)
            raise UserError(f"params.yaml: {section}: {error}{stable}") from error
        report.finished(_write_run(name, model_name, gradient_name, settings, trained))


def _threads(settings: TrainParams) -> int:
    """Return how many threads compute: where one distorts minibatches, its processor is not theirs."""
    threads = params.load_fields(ThreadsParams).threads
    return threads if settings.distortion is None else max(1, threads - 1)


def _train(
    model_name: str,
    engine: TrainingEngine,
    device: str,
    settings: TrainParams,
    seed: int,
    observe: Any,
) -> training.Trained:
    model, section = models.get(model_name), f"train.{model_name}"
    with ThreadPoolExecutor() as side_by_side:  # reading a split is hashing it, which takes a processor
        train, validation = side_by_side.map(
            lambda split: _samples(split, engine, device, section), ("train", "validation")
        )
    inputs, count = train.X.shape[1], len(train.y)
    shapes = model.shapes(inputs, records.CLASSES, getattr(settings, "hidden", 0))
    start = initialization.normal(shapes, settings.initial_std, generator(seed, "initialization"))
    native = {name: engine.to_native(value, device) for name, value in start.items()}
    minibatches = partial(
        sgd.minibatches,
        count,
        settings.batch_size,
        settings.replacement,
        generator(seed, "minibatches"),
        settings.window,
    )
    rates = sgd.learning_rates(settings.schedule, settings.learning_rate, settings.decay, settings.epochs)
    schedule = training.Settings(
        epochs=settings.epochs,
        learning_rate=rates,
        momentum=settings.momentum,
        penalty=_of_all(settings, count),
        minibatches=minibatches,
        batches_per_epoch=math.ceil(count / settings.batch_size),
        distort=_distort(inputs, engine, device, settings, section, seed),
    )
    return tensor_parallel.fit(
        model, engine, native, train, validation, schedule, observe, _threads(settings)
    )


def _of_all(settings: TrainParams, samples: int) -> Penalty:
    """Return the penalty of so many samples in all: `per_sample` is by their number, not by a minibatch's."""
    return Penalty("sum", Penalty(settings.penalty.kind, settings.penalty.strength).coefficient(samples))


def _largest_stable_rate(model: models.Model, settings: TrainParams) -> str:
    """Say below which learning rate training is stable, where the model knows how curved its loss can be."""
    largest_curvature = getattr(model, "largest_curvature", None)
    if largest_curvature is None:
        return ""
    images, _ = splits.read(records.NORMALIZED / "train")
    shrinkage = _of_all(settings, len(images)).shrinkage(len(images))
    rate = sgd.largest_stable_rate(largest_curvature(images) + shrinkage, settings.momentum)
    return f": on all images at once, this momentum is stable below a learning rate of {rate:.2g}"


def _distort(
    pixels: int, engine: TrainingEngine, device: str, settings: TrainParams, section: str, seed: int
) -> Callable[[Array], Array] | None:
    """Return what distorts a minibatch of the engine's; None where training is on the images as they are."""
    if settings.distortion is None:
        return None
    if not normalization.load(records.NORMALIZATION).is_global():
        raise UserError(
            f"params.yaml: {section}.distortion: what is standardised pixel by pixel can't be moved; set "
            "normalize.standardization to global, or the distortion to null"
        )
    distortion = Distortion(**settings.distortion.model_dump())
    distorter = Distorter(distortion, pixels, generator(seed, "distortions"))
    return lambda X: engine.to_native(distorter(engine.to_numpy(X)), device)


def _samples(split: str, engine: TrainingEngine, device: str, section: str) -> training.Samples:
    images, labels = splits.read(records.NORMALIZED / split)
    try:
        return training.Samples(
            engine.to_native(np.asarray(images), device), engine.to_native(labels.astype(np.int64), device)
        )
    except ValueError as error:
        raise UserError(f"params.yaml: {section}: {error}") from error


def _write_run(
    name: str,
    model_name: str,
    gradient_name: str,
    settings: TrainParams,
    trained: training.Trained,
) -> Path:
    best = trained.history[trained.best_epoch - 1]
    optimiser = settings.model_dump(exclude={"penalty", "hidden", "initial_std", "device"})
    directory = records.RUNS / name
    run_directory.write(
        directory,
        record=records.record(
            name,
            "mnist",
            records.parameters(train={model_name: settings.model_dump()}),
            "train",
            "validation",
            model=model_name,
            gradient=gradient_name,
            probabilities="softmax",
            optimiser={"name": "sgd", **optimiser},
            penalty=settings.penalty.model_dump(),
        ),
        weights=trained.params,
        metrics={"best_epoch": trained.best_epoch, **{k: v for k, v in best.items() if "/" in k}},
        history=trained.history,
        normalization=records.NORMALIZATION,
        snapshots=trained.snapshots,
    )
    return directory
