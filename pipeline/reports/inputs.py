"""What the report is made of: the files that the pipeline left, and what the report takes from each."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt

from pipeline.reports import reading

EVALUATION = Path("results/evaluation.json")
DETAILS = Path("results/evaluation")
MCNEMAR = DETAILS / "mcnemar.json"
GRADIENTS = Path("results/gradients.json")
REGRESSION = Path("results/regression.json")
EXERCISES = Path("results/exercises")
BENCHMARK = Path("results/benchmark.json")
PLATFORM = Path("results/platform.json")

Measured = dict[str, dict[str, Any]]
Share = Annotated[float, Field(ge=0, le=1)]


class Metrics(BaseModel):
    """A run's metrics, those that the report shows."""

    error: Share = Field(alias="test/error")
    error_low: Share = Field(alias="test/error_low")
    error_high: Share = Field(alias="test/error_high")
    log_loss: FiniteFloat = Field(alias="test/log_loss")
    calibration_error: Share = Field(alias="test/calibration_error")
    macro_f1: Share = Field(alias="test/macro_f1")
    validation_error: Share = Field(alias="validation/error")
    validation_log_loss: FiniteFloat = Field(alias="validation/log_loss")


class Pair(BaseModel):
    """Two runs, compared image by image."""

    a: str
    b: str
    only_a_right: NonNegativeInt
    only_b_right: NonNegativeInt
    p_value: Share


class Gradients(BaseModel):
    """The worst relative error by model, kind of check and parameter, and what each kind allows."""

    worst_relative_errors: dict[str, dict[str, dict[str, float]]]
    bounds: dict[str, float]


class Weaker(BaseModel):
    """How far gradient descent gets at a ridge."""

    ridge: FiniteFloat
    condition_number: FiniteFloat
    gap: FiniteFloat


class Digits(Weaker):
    """Regression on digits: what follows from the eigenvalues, and what gradient descent reached."""

    iterations: NonNegativeInt
    learning_rate: FiniteFloat
    largest_stable_learning_rate: FiniteFloat
    weaker: list[Weaker]


class Coefficients(BaseModel):
    """Those of the polynomial by both ways, the highest power first and the constant last."""

    closed_form: list[FiniteFloat]
    gradient_descent: list[FiniteFloat]


class Polynomial(BaseModel):
    """The parabola, fitted by both ways."""

    condition_number: FiniteFloat
    iterations: NonNegativeInt
    gap: FiniteFloat
    coefficients: Coefficients


class Regression(BaseModel):
    """Least squares in closed form and by gradient descent."""

    digits: Digits
    polynomial: Polynomial


class Claim(BaseModel):
    """What an exercise shows, the number that it found, and where that must lie."""

    says: str
    found: str
    allowed: str


class Variant(BaseModel):
    """An exercise as asked, or as answered."""

    claims: list[Claim]


class Exercise(BaseModel):
    """What an exercise found."""

    asked: Variant
    answered: Variant


class Seconds(BaseModel):
    """What repetitions took."""

    low: FiniteFloat
    median: FiniteFloat
    high: FiniteFloat


class Raced(Seconds):
    """What it took from files to a trained network, and how good that is on test."""

    accuracy: Share


class Machine(BaseModel):
    """Where the benchmark ran."""

    processor: str
    threads: int
    blas: str
    python: str
    numpy: str
    torch: str


class Benchmark(BaseModel):
    """What training costs beside others."""

    machine: Machine
    networks: dict[str, dict[str, Seconds]]
    race: dict[str, Raced]


class Platform(BaseModel):
    """What the bits of a stage's outputs depend on besides code and data."""

    processor: str
    architecture: str
    threads: int


def evaluation() -> Measured:
    """Return every run's metrics, under their names in results/evaluation.json."""
    runs = reading.json_as(dict[str, Metrics], EVALUATION)
    if not runs:
        reading.refuse(EVALUATION, "it holds no run")
    return {run: metrics.model_dump(by_alias=True) for run, metrics in runs.items()}


def pairs(measured: Measured) -> list[Pair]:
    """Return the paired comparisons; their runs must be among those measured."""
    found = reading.json_as(list[Pair], MCNEMAR)
    if unknown := {run for pair in found for run in (pair.a, pair.b)} - measured.keys():
        reading.refuse(MCNEMAR, f"no run {min(unknown)!r} in {EVALUATION}")
    return found


def gradients() -> Gradients:
    """Return the check of the gradients; every kind that was checked must have its bound."""
    found = reading.json_as(Gradients, GRADIENTS)
    if not found.worst_relative_errors:
        reading.refuse(GRADIENTS, "it holds no model")
    for model, checks in found.worst_relative_errors.items():
        for kind in found.bounds:
            if not checks.get(kind):
                reading.refuse(GRADIENTS, f"{model}: no error of {kind!r}, which has a bound")
    return found


def regression() -> Regression:
    """Return the proof of the regression; both fits of the polynomial must have as many coefficients."""
    found = reading.json_as(Regression, REGRESSION)
    fits = found.polynomial.coefficients
    if len(fits.closed_form) != len(fits.gradient_descent):
        reading.refuse(REGRESSION, "polynomial.coefficients: not as many by both ways")
    return found


def exercise(name: str) -> Exercise | None:
    """Return what an exercise found; None where it hasn't run."""
    path = EXERCISES / f"{name}.json"
    return reading.json_as(Exercise, path) if path.exists() else None


def benchmark() -> Benchmark | None:
    """Return what was measured of speed; None where nothing was."""
    remedy = "run `make bench`, which makes it, or remove it: the report goes without"
    return reading.json_as(Benchmark, BENCHMARK, remedy) if BENCHMARK.exists() else None


def platform() -> dict[str, Platform]:
    """Return on what kind of machine each stage ran; nothing where that isn't recorded."""
    remedy = f"run `git checkout {PLATFORM}`, which brings it back"
    return reading.json_as(dict[str, Platform], PLATFORM, remedy) if PLATFORM.exists() else {}
