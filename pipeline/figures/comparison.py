"""The comparison of all runs in Markdown: what README shows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.learning.evaluation import McNemar

SIGNIFICANT = 0.05
# LeCun et al. 1998 and, for 800 hidden units, Simard et al. 2003; the last is scikit-learn's own example.
PUBLISHED = (
    ("linear classifier, least squares", "12.0%"),
    ("two-layer, 300 hidden units, squared error", "4.7%"),
    ("two-layer, 800 hidden units, cross-entropy", "1.6%"),
    ("scikit-learn's MNIST example, 50 hidden units, 10 epochs", "3.0%"),
)


@dataclass(frozen=True)
class Pair:
    """Two runs, compared image by image."""

    a: str
    b: str
    test: McNemar

    def described(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {"a": self.a, "b": self.b, **asdict(self.test)}


def markdown(measured: dict[str, dict[str, Any]], pairs: Sequence[Pair], images: int) -> str:
    """Return the whole comparison: every run, the paired tests, the published rates."""
    ranked = sorted(measured.items(), key=lambda item: item[1]["test/error"])
    return (
        "\n\n".join(
            [
                _table(
                    (
                        "run",
                        "test error",
                        "95% interval",
                        "validation error",
                        "log loss",
                        "macro-F1",
                        "calibration error",
                    ),
                    [_row(name, metrics) for name, metrics in ranked],
                ),
                f"Paired, on the {images:,} test images (McNemar's exact test):",
                _table(
                    ("A", "B", "only A right", "only B right", "p", "difference"),
                    [_pair_row(pair, images) for pair in pairs],
                ),
                "Published test error, to compare with:",
                _table(("model", "test error"), PUBLISHED),
            ]
        )
        + "\n"
    )


def _row(name: str, metrics: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        f"{metrics['test/error']:.2%}",
        f"{metrics['test/error_low']:.2%} – {metrics['test/error_high']:.2%}",
        f"{1 - metrics['validation/accuracy']:.2%}",
        f"{metrics['test/log_loss']:.4f}",
        f"{metrics['test/macro_f1']:.4f}",
        f"{metrics['test/calibration_error']:.2%}",
    )


def _pair_row(pair: Pair, images: int) -> tuple[str, ...]:
    points = (pair.test.only_a_right - pair.test.only_b_right) / images
    if pair.test.p_value >= SIGNIFICANT:
        verdict = "not significant"
    else:
        verdict = f"{pair.a if points > 0 else pair.b} is better"
    return (
        pair.a,
        pair.b,
        str(pair.test.only_a_right),
        str(pair.test.only_b_right),
        f"{pair.test.p_value:.2g}",
        f"{abs(points):.2%} points, {verdict}" if points else "none",
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
