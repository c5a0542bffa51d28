"""How far training is: a bar on a terminal, one line an epoch elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Row = dict[str, float]


@contextmanager
def epochs(name: str, total: int) -> Iterator[Callable[[Row], None]]:
    """Yield a function to call with every epoch's row."""
    if sys.stderr is None:  # it was closed
        yield lambda row: None
        return
    if not sys.stderr.isatty():
        yield lambda row: _say(f"{name}: epoch {row['epoch']:.0f}/{total}: {_summary(row)}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[row]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total, row="")
        yield lambda row: bar.update(task, completed=row["epoch"], row=_summary(row))


def _say(line: str) -> None:
    with suppress(OSError):  # nobody reads it, or a disk is full: no reason to stop training
        print(line, file=sys.stderr, flush=True)


def _summary(row: Row) -> str:
    return (
        f"loss {row['train/loss']:.4f}, accuracy {row['train/accuracy']:.2%} in training, "
        f"{row['validation/accuracy']:.2%} in validation"
    )
