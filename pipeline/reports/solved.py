"""The six exercises in the report: question, answer, figure, and the claims that they check themselves by."""

import ast
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import exercises
from pipeline.reports import inputs, tables
from pipeline.reports.pictures import Picture, picture
from pipeline.reports.tables import Table

SOURCES = Path(exercises.__file__).parent
PAGES = Path("docs/exercises")


@dataclass(frozen=True)
class Solved:
    """An exercise that has run."""

    name: str
    title: str
    question: str
    answer: str
    picture: Picture
    claims: Sequence[Table]
    page: Path

    @property
    def held(self) -> int:
        """How many claims hold: all of them, since the stage leaves nothing where one doesn't."""
        return sum(len(table.rows) for table in self.claims)


def solved() -> list[Solved]:
    """Return the exercises that have run; UserError where a file of one is damaged or its figure missing."""
    found = ((name, inputs.exercise(name)) for name in exercises.NAMES)
    return [_solved(name, exercise) for name, exercise in found if exercise]


def missing(found: Sequence[Solved]) -> list[str]:
    """Return the names of the exercises that haven't run."""
    return [name for name in exercises.NAMES if name not in {each.name for each in found}]


def link(page: Path, output: Path) -> str:
    """Return the address of a page as seen from the report; "" where the report lies outside the project.

    A report elsewhere would have to name the folders between, which concern nobody else.
    """
    folder = output.resolve().parent
    if not folder.is_relative_to(Path.cwd()):
        return ""
    return Path(os.path.relpath(page.resolve(), folder)).as_posix()


def _solved(name: str, found: inputs.Exercise) -> Solved:
    said = texts(name)
    drawn = picture(
        inputs.EXERCISES / f"{name}.png",
        f"{said['TITLE']}. As asked: {said['ASKED']}. As answered: {said['ANSWERED']}",
        f"As asked: {said['ASKED']}. As answered: {said['ANSWERED']}.",
    )
    claims = [
        tables.claims(found.asked.claims, "as asked"),
        tables.claims(found.answered.claims, "as answered"),
    ]
    return Solved(name, said["TITLE"], said["QUESTION"], said["ANSWER"], drawn, claims, PAGES / f"{name}.md")


def texts(name: str) -> Mapping[str, str]:
    """Return the texts that an exercise's module holds as constants, by their names.

    The module is read and not imported: that would load torch and scikit-learn for a few sentences.
    """
    module = ast.parse((SOURCES / f"{name}.py").read_text(encoding="utf-8"))
    return {
        statement.targets[0].id: statement.value.value
        for statement in module.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    }
