"""What was measured as Markdown tables, to read on a terminal and in docs/performance.md."""

from collections.abc import Iterator
from typing import Any

from benchmarks.processes import ROOT
from benchmarks.without import STEPS
from pipeline.commands import docs
from pipeline.files import write_text

PAGE = ROOT / "docs/performance.md"


def of(found: dict[str, Any]) -> list[str]:
    """Return the lines of all sections that were measured."""
    return [line for section, value in found.items() for line in (*_TABLES[section](value), "")]


def write(found: dict[str, Any]) -> None:
    """Fill the page anew, each section between its markers: <!-- networks --> … <!-- /networks -->."""
    text = PAGE.read_text(encoding="utf-8")
    for section in found:
        text = docs.fill(text, section, "\n".join(of({section: found[section]})))
    write_text(PAGE, text)


def _machine(value: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{value['processor']}, {value['threads']} threads, OpenBLAS for {value['blas']}; "
        f"Python {value['python']}, NumPy {value['numpy']}, PyTorch {value['torch']}."
    )


def _networks(value: dict[str, Any]) -> Iterator[str]:
    for network, rows in sorted(value.items()):
        ours = rows["manual"]["median"]
        yield f"| {network} | seconds an epoch | images a second | times the manual engine's |"
        yield "|---|---|---|---|"
        for name, row in _fastest_first(rows):
            images = "" if name.startswith("matrix") else f"{60_000 / row['median']:,.0f}"
            yield f"| {name} | {_range(row)} | {images} | {row['median'] / ours:.2f} |"
        yield ""


def _steps(value: dict[str, Any]) -> Iterator[str]:
    whole = value["as it is"]["median"]
    yield "| 784-800-10, the manual engine | seconds an epoch | what it gains |"
    yield "|---|---|---|"
    for name in ("as it is", *STEPS):  # a file of JSON has them in another order
        row = value[name]
        without = name if name == "as it is" else f"without `{name}`"
        gain = "" if name == "as it is" else f"{row['median'] / whole - 1:+.0%}"
        yield f"| {without} | {_range(row)} | {gain} |"


def _race(value: dict[str, Any]) -> Iterator[str]:
    yield "| from files to trained | seconds | test accuracy | times ours |"
    yield "|---|---|---|---|"
    for name, row in _fastest_first(value):
        ratio = row["median"] / value["manual"]["median"]
        yield f"| {name} | {_range(row)} | {row['accuracy']:.2%} | {ratio:.2f} |"


def _hidden(value: dict[str, Any]) -> Iterator[str]:
    yield "| hidden units | seconds an epoch of 20,000 images |"
    yield "|---|---|"
    for hidden, row in _smallest_first(value["rows"]):
        yield f"| {int(hidden):,} | {row['seconds']:.3f} |"
    yield ""
    yield f"Seconds grow as hidden units to the power {value['exponent']:.2f}."


def _samples(value: dict[str, Any]) -> Iterator[str]:
    yield "| samples | seconds an epoch | anonymous memory, MB |"
    yield "|---|---|---|"
    for samples, row in _smallest_first(value["rows"]):
        yield f"| {int(samples):,} | {row['seconds']:.2f} | {row['anonymous_mb']:.0f} |"
    yield ""
    yield (
        f"Seconds grow as samples to the power {value['exponent']:.2f}. The most samples, mapped from "
        f"disk, are trained on at {value['throughput_against_in_memory']:.0%} of the rate in memory, with "
        f"{value['memory_against_fewest']:.2f} times the anonymous memory of the fewest."
    )


def _nothing_changed(value: dict[str, Any]) -> Iterator[str]:
    yield "| `dvc repro`, nothing changed | seconds |"
    yield "|---|---|"
    for name, row in value["rows"].items():
        yield f"| {name} | {_range(row)} |"
    yield ""
    yield f"Ratio: {value['ratio']:.2f}."


def _publishing(value: dict[str, Any]) -> Iterator[str]:
    yield (
        f"10,000 points, weights and 6 figures into SQLite: {value['seconds']:.2f} s, "
        f"{value['seconds_per_point'] * 1e3:.3f} ms a point, all included; one call of `log_metric`: "
        f"{value['seconds_per_call'] * 1e3:.2f} ms, {value['cheaper_per_point']:.0f} times as much."
    )


def _fastest_first(rows: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(rows.items(), key=lambda row: row[1]["median"])


def _smallest_first(rows: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(rows.items(), key=lambda row: int(row[0]))


def _range(row: dict[str, float]) -> str:
    return f"{row['median']:.3f} ({row['low']:.3f} – {row['high']:.3f})"


_TABLES = {
    "machine": _machine,
    "networks": _networks,
    "steps": _steps,
    "race": _race,
    "hidden": _hidden,
    "samples": _samples,
    "nothing_changed": _nothing_changed,
    "publishing": _publishing,
}
