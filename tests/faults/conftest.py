"""Faults that are really injected. Each is a row of docs/reliability.md, and a line when the tests end.

A test is marked `fault(area, what goes wrong)`; with the fixture `happened` it says what happened. One that
is marked `slow` too runs in `make faults` only.
"""

from collections.abc import Callable
from typing import Any

import pytest

FAULT, HAPPENED = "fault", "happened"
Say = Callable[[str], None]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the fault travel with the test's report, also from another process."""
    for mark in item.iter_markers(FAULT):
        area, what = mark.args
        item.user_properties.append((FAULT, f"{area}: {what}"))


@pytest.fixture
def happened(record_property: Callable[[str, Any], None]) -> Say:
    """Say in a few words what happened, for the row of this fault."""
    return lambda words: record_property(HAPPENED, " ".join(words.split()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line a row: pass or fail, the fault, what happened."""
    lines: dict[str, str] = {}
    for outcome, word in (("skipped", "skip"), ("passed", "pass"), ("error", "FAIL"), ("failed", "FAIL")):
        for report in terminalreporter.getreports(outcome):
            properties = getattr(report, "user_properties", [])
            said = "; ".join(text for name, text in properties if name == HAPPENED)
            for name, fault in properties:
                if name == FAULT:
                    lines[report.nodeid] = f"{word}  {fault} -> {said}" if said else f"{word}  {fault}"
    if lines:
        terminalreporter.section("faults")
        for line in sorted(lines.values(), key=lambda line: line[4:]):
            terminalreporter.write_line(line)
