"""Stage check_gradients: every model's hand-derived gradient against autograd and central differences."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline import params
from pipeline.datasets import splits
from pipeline.errors import UserError
from pipeline.figures.gradients import agreement
from pipeline.files import csv_text, write_json
from pipeline.learning import gradient_check, gradients, initialization, models
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import BOUNDS, Problem
from pipeline.learning.penalty import Penalty
from pipeline.learning.randomness import generator
from pipeline.params.gradients import GradientsParams
from pipeline.params.seed import SeedParams
from pipeline.stages import records
from pipeline.tracking import run_directory
from pipeline.tracking.reporter import reporting

RESULTS = Path("results/gradients.json")
RUN = "gradient-check"
AGREEMENT = "agreement.png"
Worst = dict[str, dict[str, gradient_check.Errors]]
# Strong enough that a fault in the penalty shows beside the data's gradient.
PENALTY = Penalty("sum", 0.05)
# Of its norm at the start: in float32 a gradient that is smaller is held to what it would be at this share,
# since training may leave of it what is no more than rounding.
VANISHED = 0.1
# Small enough for each model to train; the sum of squares has gradients N·C times those of a mean.
LEARNING_RATES = {
    "linear_regression": 1e-2,
    "softmax": 1e-2,
    "two_layer": 1e-2,
    "two_layer_regression": 1e-6,
    "sigmoid_network": 1e-2,
}


def main() -> None:
    """Check, fail where an error is over its bound, and write the worst error of every parameter."""
    settings = params.load(GradientsParams, "gradients")
    with reporting(RUN, experiment="mnist") as report:
        worst = _worst_of_every_model(settings)
        _hold(worst)
        write_json(RESULTS, {"bounds": BOUNDS, "worst_relative_errors": worst})
        report.finished(_write_run(worst, settings))


def _worst_of_every_model(settings: GradientsParams) -> Worst:
    seed = params.load_fields(SeedParams).seed
    images, labels = splits.read(records.NORMALIZED / "train")
    worst = {}
    for name in models.NAMES:
        rng = generator(seed, f"gradients of {name}")
        problem = _problem(name, images, labels, settings.samples, rng)
        with np.errstate(invalid="ignore"):  # an error that is no number is over its bound
            start = _start(problem, settings, rng)
            trajectory = _trajectory(problem, start, LEARNING_RATES[name], settings.steps)
            points = [*trajectory, *_random_points(problem, settings, rng)]
            sizes = _sizes(problem, start)
            worst[name] = _worst([_check(problem, point, sizes, settings, rng) for point in points])
    return worst


def _write_run(worst: Worst, settings: GradientsParams) -> Path:
    """Leave a run that shows what was found."""
    rows = [
        (model, kind, name, error, BOUNDS[kind])
        for model, checks in worst.items()
        for kind, errors in checks.items()
        for name, error in errors.items()
    ]
    columns = dict(
        zip(("model", "check", "parameter", "error", "bound"), zip(*rows, strict=True), strict=True)
    )
    largest = {kind: max(max(checks[kind].values()) for checks in worst.values()) for kind in BOUNDS}
    directory = records.RUNS / RUN
    run_directory.write(
        directory,
        record=records.record(
            RUN,
            "mnist",
            records.parameters(gradients=settings.model_dump()),
            "train",
            description="**Every derived gradient is right**: by hand, by autograd and by central "
            f"differences it is the same, at {len(settings.steps)} points of a training trajectory and "
            f"{settings.random_draws} random ones, for {len(worst)} models. The largest relative error "
            f"against autograd in float64 is {largest['autograd_float64']:.1e}, allowed is "
            f"{BOUNDS['autograd_float64']:.0e}.",
            look_at=f"the picture `run/figures/{AGREEMENT}` and the table `tables/errors.json`",
        ),
        weights={},
        metrics={f"error/{kind}": error for kind, error in largest.items()},
        figures={AGREEMENT: agreement(worst, BOUNDS)},
        tables={"errors.csv": csv_text(columns)},
    )
    return directory


def _problem(name: str, images: Array, labels: Array, samples: int, rng: np.random.Generator) -> Problem:
    """Return a real minibatch with the targets that the model takes."""
    model = models.get(name)
    index = np.sort(rng.choice(len(labels), size=min(samples, len(labels)), replace=False))
    X, y = images[index].astype(np.float64), labels[index].astype(np.int64)
    return Problem(model, X, y if model.LOSS.takes_labels else np.eye(records.CLASSES)[y], PENALTY)


def _start(problem: Problem, settings: GradientsParams, rng: np.random.Generator) -> Params:
    shapes = problem.model.shapes(problem.X.shape[1], records.CLASSES, settings.hidden)
    return initialization.normal(shapes, None, rng, np.float64)


def _trajectory(problem: Problem, start: Params, rate: float, steps: Sequence[int]) -> list[Params]:
    """Return the parameters at the given steps of gradient descent."""
    theta = {key: value.copy() for key, value in start.items()}
    manual = gradients.get("manual").loss_and_grads
    points = []
    for step in range(max(steps) + 1):
        if step in steps:
            points.append({key: value.copy() for key, value in theta.items()})
        grads = problem.gradient(manual, theta, "float64")
        for key, value in theta.items():
            value -= rate * grads[key]
    return points


def _random_points(problem: Problem, settings: GradientsParams, rng: np.random.Generator) -> list[Params]:
    """Return random parameters; the biases too, which training starts at zero."""
    draws = [_start(problem, settings, rng) for _ in range(settings.random_draws)]
    return [
        {
            key: value if key.startswith("W") else rng.standard_normal(value.shape)
            for key, value in draw.items()
        }
        for draw in draws
    ]


def _sizes(problem: Problem, start: Params) -> dict[str, float]:
    """Return the norm below which a gradient has vanished, by parameter."""
    at_start = problem.gradient(gradients.get("autograd").loss_and_grads, start, "float64")
    return {name: VANISHED * float(np.linalg.norm(grad)) for name, grad in at_start.items()}


def _check(
    problem: Problem,
    point: Params,
    sizes: dict[str, float],
    settings: GradientsParams,
    rng: np.random.Generator,
) -> dict[str, gradient_check.Errors]:
    manual, autograd = (gradients.get(name).loss_and_grads for name in ("manual", "autograd"))
    return {
        "autograd_float64": gradient_check.against(problem, point, manual, autograd, "float64"),
        "autograd_float32": gradient_check.against(problem, point, manual, autograd, "float32", sizes),
        "directions": gradient_check.along_directions(problem, point, manual, settings.directions, rng),
        "coordinates": gradient_check.at_coordinates(problem, point, manual, settings.coordinates, rng),
    }


def _worst(checks: list[dict[str, gradient_check.Errors]]) -> dict[str, gradient_check.Errors]:
    """Return the largest error of each kind and parameter over all points."""
    return {
        kind: {name: float(np.max([check[kind][name] for check in checks])) for name in errors}
        for kind, errors in checks[0].items()
    }


def _hold(worst: Worst) -> None:
    for model, checks in worst.items():
        for kind, errors in checks.items():
            for name, error in errors.items():
                if not error <= BOUNDS[kind]:
                    raise UserError(
                        f"gradient of {name} in {model}: relative error {error:.1e} against {kind}, more "
                        f"than {BOUNDS[kind]:.0e}; see the backward of pipeline/learning/models/{model}.py"
                    )
