"""Which runs MLflow shows of what is on disk."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich import box
from rich.table import Table

from pipeline.commands import terminal
from pipeline.tracking import connection, inventory, selection
from pipeline.tracking.inventory import Entry

# What to do about a state; of the others there is nothing to do.
REMEDIES = {
    "duplicated": "the same bytes several times: delete in MLflow what you don't want",
    "stale": "`make publish` adds what MLflow lacks",
    "missing": "`make publish` adds what MLflow lacks",
    "absent": "`dvc pull` or `dvc repro` brings what isn't on disk",
}


def show(*, as_json: bool) -> None:
    """Print a row for each run directory, and what to do; UserError where the store doesn't answer."""
    with connection.answering():
        entries = inventory.take(connection.connect())
    if as_json:
        print(json.dumps({"runs": [asdict(entry) for entry in entries]}))
    else:
        terminal.show(_table(entries))
        print(_summary(entries))


def _table(entries: Sequence[Entry]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("run directory", "DVC stage"):
        table.add_column(column, overflow="fold")
    for column in ("fingerprint", "state", "MLflow runs"):
        table.add_column(column, no_wrap=True)
    for entry in entries:
        ids = ", ".join(run[: selection.SHOWN] for run in entry.runs)
        table.add_row(entry.name, entry.stage, (entry.fingerprint or "")[:12], entry.state, ids)
    return table


def _summary(entries: Sequence[Entry]) -> str:
    counts = Counter(entry.state for entry in entries)
    there = [state for state in inventory.STATES if counts[state]]
    counted = ", ".join(f"{counts[state]} {state}" for state in there) or "nothing to publish"
    remedies = dict.fromkeys(REMEDIES[state] for state in there if state in REMEDIES)
    return "; ".join([f"runs: {len(entries)} in dvc.yaml: {counted}", *remedies])
