"""How tables come to a terminal, and to a file or a pipe, where nothing may be folded."""

import sys

from rich.console import Console
from rich.table import Table

# Wider than any table.
UNBOUNDED = 10_000


def show(table: Table) -> None:
    """Print a table: within the width of a terminal, as wide as it is elsewhere."""
    width = None if sys.stdout.isatty() else UNBOUNDED
    # A cell is text and no markup: a parameter may be the list `[null]`.
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)
