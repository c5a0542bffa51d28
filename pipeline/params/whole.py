"""The whole of params.yaml, every section of it."""

from pathlib import Path

from pipeline import params
from pipeline.errors import UserError
from pipeline.params import Section
from pipeline.params.baseline import BaselineParams
from pipeline.params.evaluate import EvaluateParams
from pipeline.params.exercise.digits_cg import DigitsCgParams
from pipeline.params.exercise.quadratic import QuadraticParams
from pipeline.params.exercise.relu_regression import ReluRegressionParams
from pipeline.params.exercise.softmax_loops import SoftmaxLoopsParams
from pipeline.params.exercise.spiral import SpiralParams
from pipeline.params.exercise.two_layer import TwoLayerExerciseParams
from pipeline.params.fetch import FetchParams
from pipeline.params.gradients import GradientsParams
from pipeline.params.normalize import NormalizeParams
from pipeline.params.regression import RegressionParams
from pipeline.params.seed import SeedParams
from pipeline.params.threads import ThreadsParams
from pipeline.params.train import AllTrainParams


class ExerciseParams(Section):
    """The six exercises."""

    quadratic: QuadraticParams
    two_layer: TwoLayerExerciseParams
    spiral: SpiralParams
    digits_cg: DigitsCgParams
    relu_regression: ReluRegressionParams
    softmax_loops: SoftmaxLoopsParams


class Params(ThreadsParams, SeedParams):
    """Every parameter of the pipeline."""

    fetch: FetchParams
    normalize: NormalizeParams
    regression: RegressionParams
    train: AllTrainParams
    baseline: BaselineParams
    gradients: GradientsParams
    evaluate: EvaluateParams
    exercise: ExerciseParams


def load(file: Path | None = None) -> Params:
    """Return the whole file, validated, and what one section asks of another; UserError in one line."""
    file = file or params.path()
    found = params.load(Params, file=file)
    standardization = found.normalize.standardization
    for model in type(found.train).model_fields:
        if standardization != "global" and getattr(found.train, model).distortion:
            raise UserError(
                f"{file}: normalize.standardization = {standardization!r}: allowed is 'global' where "
                f"train.{model}.distortion isn't null; what is standardised pixel by pixel can't be moved"
            )
    return found
