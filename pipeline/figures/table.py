"""The comparison of all runs, for a terminal."""

from rich.table import Table

from pipeline.figures.comparison import Measured, error_with_interval, ranked, validation_error


def table(evaluation: Measured) -> Table:
    """Return one row a run, the smallest test error first, from the content of results/evaluation.json."""
    rendered = Table(title="Every run on the test images")
    rendered.add_column("run")
    for name in ("test error (95% interval)", "validation error", "log loss", "calibration error"):
        rendered.add_column(name, justify="right")
    for run, metrics in ranked(evaluation):
        rendered.add_row(
            run,
            error_with_interval(metrics),
            validation_error(metrics),
            f"{metrics['test/log_loss']:.4f}",
            f"{metrics['test/calibration_error']:.2%}",
        )
    return rendered
