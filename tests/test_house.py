"""Imports run downwards only: what a room may know of the others, as docs/design.md has it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline"
# Besides itself, and the modules that stand in no room.
KNOWS = {
    "learning": set(),
    "params": set(),
    "datasets": {"learning"},
    "figures": {"exercises", "learning"},
    "exercises": {"datasets", "learning", "params"},
    "tracking": {"learning"},
    "servers": {"learning", "tracking"},
}
FOREIGN = {"learning": {"mlflow", "dvc", "pathlib", "os", "httpx", "socket", "subprocess"}}


def imported(room: str) -> Iterator[tuple[str, str]]:
    """Yield the file and the module of every import in a room."""
    for file in sorted((PACKAGE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module == "pipeline":
                yield from ((file.name, f"pipeline.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield file.name, str(node.module)


@pytest.mark.parametrize("room", KNOWS)
def test_a_room_knows_only_those_below_it(room: str) -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    found = {
        (file, module)
        for file, module in imported(room)
        if module.startswith("pipeline.") and module.split(".")[1] in rooms - KNOWS[room] - {room}
    }
    assert found == set()


@pytest.mark.parametrize("room", FOREIGN)
def test_a_room_of_mathematics_knows_no_file_and_no_network(room: str) -> None:
    assert {each for each in imported(room) if each[1].partition(".")[0] in FOREIGN[room]} == set()
