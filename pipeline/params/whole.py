"""The whole of params.yaml, every section of it."""

from pipeline.params.baseline import BaselineParams
from pipeline.params.evaluate import EvaluateParams
from pipeline.params.fetch import FetchParams
from pipeline.params.gradients import GradientsParams
from pipeline.params.normalize import NormalizeParams
from pipeline.params.regression import RegressionParams
from pipeline.params.seed import SeedParams
from pipeline.params.threads import ThreadsParams
from pipeline.params.train import AllTrainParams


class Params(ThreadsParams, SeedParams):
    """Every parameter of the pipeline."""

    fetch: FetchParams
    normalize: NormalizeParams
    regression: RegressionParams
    train: AllTrainParams
    baseline: BaselineParams
    gradients: GradientsParams
    evaluate: EvaluateParams
