"""The pictures of the report, inlined, each with what it shows in words."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.figures.comparison import RUNS, best_by_validation, error_with_interval, ranked
from pipeline.reports import inputs, reading
from pipeline.reports.inputs import Measured

# Only what is trained epoch by epoch has them.
CURVES = "learning_curves"


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, its size in pixels, what it shows for those who can't see it, and a caption."""

    source: str
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class Model:
    """A run: what it is, what it does on the test images in a sentence, and its pictures."""

    run: str
    what: str
    error: str
    summary: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class _Mistakes:
    """What a run takes the test images for."""

    images: int
    counts: Counter[tuple[int, int]]

    @property
    def frequent(self) -> str:
        """The most frequent mistake in words, of equals the one that the picture's heading names."""
        if not self.counts:
            return "No mistake"
        actual, predicted = min(self.counts, key=lambda pair: (-self.counts[pair], pair))
        times = self.counts[actual, predicted]
        return f"Most frequent mistake: {actual} taken for {predicted}, {times:,} times"


def picture(path: Path, finding: str, caption: str) -> Picture:
    """Return a picture, described by its finding; UserError where the file is missing or damaged."""
    data, width, height = reading.png(path)
    return Picture(
        f"data:image/png;base64,{base64.b64encode(data).decode()}", width, height, finding, caption
    )


def comparison(measured: Measured) -> Picture:
    """Return the picture of all runs' errors."""
    (first, lowest), (last, highest) = (ranked(measured)[place] for place in (0, -1))
    return picture(
        inputs.DETAILS / "comparison.png",
        f"Test error of {len(measured)} runs with 95% intervals: from {lowest['test/error']:.2%} of {first} "
        f"to {highest['test/error']:.2%} of {last}",
        "Test error of every run with its 95% interval; scikit-learn's in orange.",
    )


def models(measured: Measured) -> list[Model]:
    """Return every run, the best by validation first, the others by test error."""
    best = best_by_validation(measured)
    order = [best, *(run for run, _ in ranked(measured) if run != best)]
    return [_model(run, measured[run]) for run in order]


def test_images(measured: Measured) -> int:
    """Return the number of test images that each run was scored on."""
    return _mistakes(best_by_validation(measured)).images


def _model(run: str, metrics: Mapping[str, Any]) -> Model:
    mistakes = _mistakes(run)
    error = error_with_interval(metrics)
    wrong = f"{mistakes.counts.total():,} of {mistakes.images:,} test images are taken for another digit"
    folder = inputs.DETAILS / run
    drawn = [
        picture(folder / f"{name}.png", f"{run}: {finding}", caption)
        for name, finding, caption in _findings(metrics, mistakes)
        if name != CURVES or (folder / f"{name}.png").exists()
    ]
    return Model(run, RUNS.get(run, ""), error, f"{wrong}, {error}. {mistakes.frequent}.", drawn)


def _mistakes(run: str) -> _Mistakes:
    taken = reading.confusion(inputs.DETAILS / run / "confusion.csv")
    return _Mistakes(len(taken), Counter(pair for pair in taken if pair[0] != pair[1]))


def _findings(metrics: Mapping[str, Any], mistakes: _Mistakes) -> list[tuple[str, str, str]]:
    """Return for each picture of a run its name, what it shows, and its caption."""
    kept, parted = f"{metrics['validation/error']:.2%}", f"{metrics['test/calibration_error']:.2%}"
    return [
        (
            CURVES,
            f"loss and error by epoch; the epoch that was kept has a validation error of {kept}",
            "Learning curves: the dotted line marks the epoch that was kept.",
        ),
        ("confusion", mistakes.frequent, "Confusion: the true digit by row, shaded by mistakes."),
        (
            "reliability",
            f"confidence and accuracy part by {parted} on average",
            f"Reliability: confidence is accuracy on the dotted line. Calibration error {parted}.",
        ),
        (
            "first_layer",
            "the first layer's weights as images: red pixels raise a score or hidden unit, blue lower it",
            "First layer: red weights speak for, blue ones against.",
        ),
        (
            "worst_mistakes",
            f"the surest of {mistakes.counts.total():,} mistakes, each with its true and its predicted digit",
            "Worst mistakes: a wrong digit, with the highest probability.",
        ),
    ]
