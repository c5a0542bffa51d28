"""The section `baseline`: what an estimator can't take from the model that it is matched with."""

from typing import Literal

from pydantic import Field

from pipeline.params import Section
from pipeline.params.shared import DescentParams, Hidden


class RidgeParams(Section):
    """Ridge, solved directly."""

    solver: Literal["cholesky", "svd", "lsqr"]


class LogisticRegressionParams(Section):
    """LogisticRegression, solved by L-BFGS."""

    max_iterations: int = Field(ge=1, le=100_000)


class SgdClassifierParams(Section):
    """SGDClassifier: one-vs-rest logistic loss, one sample a step."""

    learning_rate: float = Field(gt=0, le=1e6)
    epochs: int = Field(ge=1, le=10_000)


class MlpClassifierParams(Section):
    """MLPClassifier, at a constant learning rate: a part of the rate that `train.two_layer` begins with."""

    rate_factor: float = Field(gt=0, le=1)
    epochs: int = Field(ge=1, le=10_000)


class MatchedNetworkParams(DescentParams):
    """What MLPClassifier takes of `train.two_layer`."""

    hidden: Hidden


class BaselineParams(Section):
    """Every baseline that has parameters of its own."""

    ridge: RidgeParams
    logistic_regression: LogisticRegressionParams
    sgd_classifier: SgdClassifierParams
    mlp_classifier: MlpClassifierParams
