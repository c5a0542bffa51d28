"""In what two runs in MLflow differ."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from rich import box
from rich.table import Table

from pipeline.commands import terminal
from pipeline.tracking import comparison, connection, selection
from pipeline.tracking.comparison import Comparison, Pair
from pipeline.tracking.quiet_mlflow import Run

NOTHING = "–"


def show(first: str, second: str, *, everything: bool, as_json: bool) -> None:
    """Print whether two runs are the same, and what differs, or with `everything` all that they have.

    Raises UserError where a run can't be told, and where the store doesn't answer.
    """
    with connection.answering():
        client = connection.connect()
        runs = [selection.find(client, wanted) for wanted in (first, second)]
    compared = comparison.compare(*runs)
    if as_json:
        print(json.dumps(_object(runs, compared, everything)))
        return
    print(_in_words(runs, compared))
    for title, pairs, write in _sections(compared):
        shown = _chosen(pairs, everything)
        if shown:
            terminal.show(_table(title, runs, shown, write))


def _in_words(runs: Sequence[Run], compared: Comparison) -> str:
    names = " and ".join(map(selection.words, runs))
    if compared.same is None:
        lacking = next(run for run in runs if "fingerprint" not in run.data.tags)
        unknown = f"{selection.words(lacking)} is {lacking.info.status} and has no fingerprint"
        return f"{names}: whether they are the same can't be told, since {unknown}"
    if compared.same:
        return f"{names} are the same: what they left has one fingerprint, to the bit"
    counts = ", ".join(
        f"{sum(not pair.equal for pair in pairs)} of {len(pairs)} {title}"
        for title, pairs, _ in _sections(compared)
    )
    return f"{names} are not the same: they differ in {counts}"


def _sections(compared: Comparison) -> list[tuple[str, Sequence[Pair[Any]], Callable[[Any], str]]]:
    return [
        ("parameters", compared.parameters, str),
        ("metrics", compared.metrics, lambda value: f"{value:.9g}"),
        ("tags", compared.tags, str),
    ]


def _chosen(pairs: Sequence[Pair[Any]], everything: bool) -> list[Pair[Any]]:
    return [pair for pair in pairs if everything or not pair.equal]


def _table(title: str, runs: Sequence[Run], pairs: Sequence[Pair[Any]], write: Callable[[Any], str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(title, overflow="fold")
    for letter, run in zip("AB", runs, strict=True):
        table.add_column(f"{letter}: {selection.words(run)}", overflow="fold")
    numeric = title == "metrics"
    if numeric:
        table.add_column("B - A", justify="right", no_wrap=True)
    for pair in pairs:
        cells = [NOTHING if value is None else write(value) for value in (pair.first, pair.second)]
        table.add_row(pair.name, *cells, *([_difference(pair)] if numeric else []))
    return table


def _difference(pair: Pair[float]) -> str:
    if pair.first is None or pair.second is None:
        return NOTHING
    return f"{pair.second - pair.first:+.3g}"


def _object(runs: Sequence[Run], compared: Comparison, everything: bool) -> dict[str, Any]:
    """Return all of it as JSON holds it: a metric that is no finite number is text."""
    sections = {
        title: {
            pair.name: {"a": _plain(pair.first), "b": _plain(pair.second)}
            for pair in _chosen(pairs, everything)
        }
        for title, pairs, _ in _sections(compared)
    }
    for pair in _chosen(compared.metrics, everything):
        if pair.first is not None and pair.second is not None:
            sections["metrics"][pair.name]["difference"] = _plain(pair.second - pair.first)
    named = [{"id": run.info.run_id, "name": run.info.run_name} for run in runs]
    return {"a": named[0], "b": named[1], "same": compared.same, **sections}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
