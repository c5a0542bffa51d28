"""Stage baseline: scikit-learn's counterpart of each model, on the same split with the same penalty."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pipeline import params
from pipeline.datasets import splits
from pipeline.errors import UserError
from pipeline.learning import probabilities
from pipeline.learning.arrays import Array
from pipeline.learning.baselines import Fitted
from pipeline.learning.penalty import Penalty
from pipeline.params.seed import SeedParams
from pipeline.params.shared import PenaltyParams
from pipeline.params.threads import ThreadsParams
from pipeline.stages import records
from pipeline.tracking import run_directory
from pipeline.tracking.reporter import reporting

# scikit-learn's probabilities and ours may differ by the rounding of float32, and by no more.
AGREEMENT = 1e-4


class Matched(NamedTuple):
    """An estimator ready to fit, its penalty, and every parameter that it takes."""

    fit: Callable[[Array, Array], Fitted]
    model: str
    penalty: Penalty
    parameters: dict[str, Any]
    remedy: str = "a less extreme setting"


def main(estimator: str) -> None:
    """Fit one estimator, check that its coefficients say in our forward what it says itself."""
    if estimator not in ESTIMATORS:
        raise UserError(f"baseline {estimator!r}: choose one of {', '.join(ESTIMATORS)}")
    name = f"baseline-{estimator}"
    images, labels = splits.read(records.NORMALIZED / "train")
    with reporting(name, experiment="baselines") as report:
        matched = ESTIMATORS[estimator]()
        fitted = _fit(matched, estimator, np.asarray(images), labels.astype(np.int64))
        accuracy = _check(fitted, name)
        directory = records.RUNS / name
        run_directory.write(
            directory,
            record=records.record(
                name,
                "baselines",
                matched.parameters,
                "train",
                model=matched.model,
                gradient="scikit-learn",
                estimator=estimator,
                probabilities=fitted.probabilities,
                penalty={"kind": matched.penalty.kind, "strength": matched.penalty.strength},
            ),
            weights=fitted.params,
            metrics={"validation/accuracy": accuracy},
            history=fitted.history,
            normalization=records.NORMALIZATION,
        )
        report.finished(directory)


def _fit(matched: Matched, estimator: str, X: Array, y: Array) -> Fitted:
    """Fit the estimator; UserError where scikit-learn finds that its parameters have left the numbers."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what it says of that, it says itself
            return matched.fit(X, y)
    except ValueError as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"baseline-{estimator}: scikit-learn: {said} Remedy: {matched.remedy}") from error


def _check(fitted: Fitted, name: str) -> float:
    """Return the validation accuracy by our forward; UserError where scikit-learn disagrees with it."""
    images, labels = splits.read(records.NORMALIZED / "validation")
    X = np.asarray(images)
    ours = probabilities.get(fitted.probabilities)(fitted.model.scores(fitted.params, X))
    difference = float(np.abs(ours - fitted.says(X)).max())
    if not difference <= AGREEMENT:
        raise UserError(
            f"{name}: its coefficients in our forward give probabilities that differ from scikit-learn's "
            f"own by {difference:.1e}, more than {AGREEMENT:.0e}; the conversion is wrong, or a setting "
            "too extreme"
        )
    return float((ours.argmax(1) == labels).mean())


# Each estimator imports and reads only what is its own, so that a change elsewhere doesn't refit it.


def _ridge() -> Matched:
    from pipeline.learning.baselines import ridge
    from pipeline.params.baseline import RidgeParams

    own = params.load(RidgeParams, "baseline.ridge")
    l2 = params.load(PenaltyParams, "regression.penalty")
    penalty = Penalty(l2.kind, l2.strength)
    fit = partial(ridge.fit, classes=records.CLASSES, penalty=penalty, solver=own.solver)
    parameters = records.parameters(
        baseline={"ridge": own.model_dump()}, regression={"penalty": l2.model_dump()}
    )
    return Matched(fit, "linear_regression", penalty, parameters)


def _logistic_regression() -> Matched:
    from pipeline.learning.baselines import logistic_regression
    from pipeline.params.baseline import LogisticRegressionParams

    own = params.load(LogisticRegressionParams, "baseline.logistic_regression")
    l2 = params.load(PenaltyParams, "train.softmax.penalty")
    penalty = Penalty(l2.kind, l2.strength)
    fit = partial(logistic_regression.fit, penalty=penalty, max_iterations=own.max_iterations)
    parameters = records.parameters(
        baseline={"logistic_regression": own.model_dump()}, train={"softmax": {"penalty": l2.model_dump()}}
    )
    return Matched(fit, "softmax", penalty, parameters)


def _sgd_classifier() -> Matched:
    from pipeline.learning.baselines import sgd_classifier
    from pipeline.params.baseline import SgdClassifierParams

    own = params.load(SgdClassifierParams, "baseline.sgd_classifier")
    l2 = params.load(PenaltyParams, "train.softmax.penalty")
    penalty = Penalty(l2.kind, l2.strength)
    fit = partial(
        sgd_classifier.fit,
        penalty=penalty,
        learning_rate=own.learning_rate,
        epochs=own.epochs,
        threads=params.load_fields(ThreadsParams).threads,
        seed=params.load_fields(SeedParams).seed,
    )
    parameters = records.parameters(
        baseline={"sgd_classifier": own.model_dump()}, train={"softmax": {"penalty": l2.model_dump()}}
    )
    return Matched(fit, "softmax", penalty, parameters)


def _mlp_classifier() -> Matched:
    from pipeline.learning.baselines import mlp_classifier
    from pipeline.params.baseline import MatchedNetworkParams, MlpClassifierParams

    own = params.load(MlpClassifierParams, "baseline.mlp_classifier")
    model = params.load_fields(MatchedNetworkParams, "train.two_layer")
    penalty = Penalty(model.penalty.kind, model.penalty.strength)
    fit = partial(
        mlp_classifier.fit,
        penalty=penalty,
        hidden=model.hidden,
        batch_size=model.batch_size,
        learning_rate=own.rate_factor * model.learning_rate,
        momentum=model.momentum,
        epochs=own.epochs,
        seed=params.load_fields(SeedParams).seed,
    )
    parameters = records.parameters(
        baseline={"mlp_classifier": own.model_dump()}, train={"two_layer": model.model_dump()}
    )
    remedy = "lower train.two_layer.learning_rate or baseline.mlp_classifier.rate_factor"
    return Matched(fit, "two_layer", penalty, parameters, remedy)


ESTIMATORS: dict[str, Callable[[], Matched]] = {
    "ridge": _ridge,
    "logistic_regression": _logistic_regression,
    "sgd_classifier": _sgd_classifier,
    "mlp_classifier": _mlp_classifier,
}
