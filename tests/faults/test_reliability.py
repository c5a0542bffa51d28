"""docs/reliability.md has every fault that is injected here, and no other."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.repositories import REPOSITORY

FOLDER = Path(__file__).parent


def injected() -> Iterator[tuple[str, str]]:
    """Yield area and fault of every mark `fault` in this folder."""
    for path in FOLDER.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                area, what = (ast.literal_eval(argument) for argument in node.args)
                yield area, what


def documented() -> Iterator[tuple[str, str]]:
    """Yield area and fault of every row of the tables."""
    area = ""
    for line in (REPOSITORY / "docs/reliability.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            area = line.removeprefix("## ")
        elif row := re.match(r"\| (?!fault \|)(.+?) \| .+ \| .+ \|$", line):
            yield area, row[1]


def test_the_page_lists_every_fault_once_and_no_other():
    assert Counter(documented()) == Counter(injected())
