"""What a download tells the user, on stderr: one line a source, and on a terminal a bar meanwhile."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

# Called with the name of the file, the bytes so far, and the bytes in all where they are known.
Progress: TypeAlias = Callable[[str, int, int | None], None]


def say(message: str) -> None:
    """Print one line to stderr."""
    print(f"fetch: {message}", file=sys.stderr, flush=True)


@contextmanager
def bar(label: str) -> Iterator[Progress]:
    """Show a bar, gone when the source is done, and yield the function that moves it."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=None)
        yield lambda name, done, total: shown.update(task, description=name, completed=done, total=total)
