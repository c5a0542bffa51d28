"""The comparison of all runs, for a terminal."""

from typing import Any

from rich.table import Table


def table(evaluation: dict[str, dict[str, Any]]) -> Table:
    """Return one row a run, the smallest test error first, from the content of results/evaluation.json."""
    rendered = Table(title="MNIST, 10,000 test images")
    rendered.add_column("run")
    for name in ("test error", "95% interval", "validation error", "log loss"):
        rendered.add_column(name, justify="right")
    for run, metrics in sorted(evaluation.items(), key=lambda item: item[1]["test/error"]):
        rendered.add_row(
            run,
            f"{metrics['test/error']:.2%}",
            f"{metrics['test/error_low']:.2%} - {metrics['test/error_high']:.2%}",
            f"{1 - metrics['validation/accuracy']:.2%}",
            f"{metrics['test/log_loss']:.4f}",
        )
    return rendered
