"""The tables of what training costs beside others, from results/benchmark.json."""

from pipeline.reports.inputs import Benchmark, Seconds
from pipeline.reports.tables import Row, Table


def race(found: Benchmark) -> Table:
    """Return what it takes from files to a trained network, the fastest first."""
    return Table(
        "From files to a trained network, imports and reading included: median seconds of a process (range)",
        ("program", "seconds", "test accuracy"),
        [
            Row(program, (_seconds(row), f"{row.accuracy:.2%}"))
            for program, row in sorted(found.race.items(), key=lambda item: item[1].median)
        ],
    )


def networks(found: Benchmark) -> Table:
    """Return what an epoch takes each program, by network; the one with the fastest epoch first."""
    names = sorted(found.networks)
    fastest: dict[str, float] = {}
    for rows in found.networks.values():
        for program, row in rows.items():
            fastest[program] = min(row.median, fastest.get(program, row.median))
    return Table(
        "An epoch of 60,000 images: median seconds (range)",
        ("program", *names),
        [
            Row(program, [_seconds(found.networks[name].get(program)) for name in names])
            for program in sorted(fastest, key=lambda program: (fastest[program], program))
        ],
    )


def _seconds(row: Seconds | None) -> str:
    return f"{row.median:.2f} ({row.low:.2f} – {row.high:.2f})" if row else ""
