"""The comparison of all runs, for a terminal."""

from rich import box
from rich.table import Table

from pipeline.figures.comparison import Measured, error_with_interval, ranked, validation_error


def table(evaluation: Measured) -> Table:
    """Return one row a run, the smallest test error first, from the content of results/evaluation.json."""
    rendered = Table(
        title="Test error of every run, with its 95% interval", box=box.SIMPLE_HEAD, pad_edge=False
    )
    rendered.add_column("run", no_wrap=True)
    for name in ("test error", "validation", "log loss"):
        rendered.add_column(name, justify="right", no_wrap=True)
    for run, metrics in ranked(evaluation):
        rendered.add_row(
            run,
            error_with_interval(metrics),
            validation_error(metrics),
            f"{metrics['test/log_loss']:.4f}",
        )
    return rendered
