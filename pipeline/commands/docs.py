"""Write what the pipeline produced into the pages, between markers, so that no number in them is typed.

<!-- dag --> … <!-- /dag -->                    the stages, in README.md
<!-- comparison --> … <!-- /comparison -->      all models on the test set, in README.md
<!-- = answered/accuracy:.2f -->0.49<!-- / -->  one result of the exercise that the page explains
<!-- printed answered --> … <!-- /printed -->   what the exercise prints
<!-- claims answered --> … <!-- /claims -->     what it checks, with what was found
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, one_line, printable
from pipeline.exercises.outcome import as_table
from pipeline.files import write_text
from pipeline.tracking import run_directory

README = Path("README.md")
COMPARISON = Path("results/comparison.md")
EXERCISES = Path("docs/exercises")
FOUND = Path("results/exercises")

VALUE = re.compile(r"(<!-- = (?P<path>[^:>]+)(?P<format>:[^>]*?)? -->)[^<]*(?=<!-- / -->)")
BLOCK = re.compile(
    r"(<!-- (?P<what>printed|claims) (?P<variant>\w+) -->\n).*?(?=<!-- /(?P=what) -->)", re.DOTALL
)


def write() -> None:
    """Fill README.md and the pages of the exercises anew; UserError before the pipeline has run."""
    write_text(README, filled(_text(README)))
    for page in sorted(EXERCISES.glob("*.md")):
        write_text(page, filled_exercise(_text(page), page.stem))


def filled(text: str) -> str:
    """Return README.md with the DAG and the comparison as they are now between their markers."""
    if not COMPARISON.exists():
        raise UserError(f"{COMPARISON}: no such file; run `make repro` first")
    text = fill(text, "dag", _dag())
    return fill(text, "comparison", _text(COMPARISON))


def filled_exercise(text: str, name: str) -> str:
    """Return the page of an exercise with what it found between the markers.

    Raises UserError before the pipeline has run, where what was found is damaged, and for a marker that
    names no result.
    """
    path = FOUND / f"{name}.json"
    if not path.exists():
        raise UserError(f"{path}: no such file; run `dvc repro exercise@{name}` first")

    def value(marker: re.Match[str]) -> str:
        variant, _, place = marker["path"].partition("/")
        result = _at(found[variant]["results"], place, name)
        shown = "–" if result is None else format(result, (marker["format"] or ":")[1:])
        return f"{marker[1]}{shown}"

    def block(marker: re.Match[str]) -> str:
        lines = _BLOCKS[marker["what"]](found[marker["variant"]])
        return "\n".join([marker[1].rstrip(), *lines, ""])

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return BLOCK.sub(block, VALUE.sub(value, text))
    except run_directory.DAMAGES as error:
        raise UserError(
            f"{path}: is damaged ({one_line(error)}); run `dvc repro --force exercise@{name}`"
        ) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text; `git checkout HEAD -- {path}` brings it back") from error


def _at(results: Any, place: str, name: str) -> Any:
    for key in place.split("/"):
        try:
            results = results[int(key) if isinstance(results, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise UserError(f"{EXERCISES / name}.md: {place}: there is no such result") from None
    return results


def _printed(found: dict[str, Any]) -> list[str]:
    return ["```text", *found["printed"], "```"]


def _claims(found: dict[str, Any]) -> list[str]:
    return as_table(found["claims"])


_BLOCKS = {"printed": _printed, "claims": _claims}


def fill(text: str, name: str, content: str) -> str:
    """Return the text with `content` between the markers of this name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    between = re.compile(f"(?<={begin}).*?(?={end})", re.DOTALL)
    return between.sub(lambda found: f"{content.strip()}\n", text)


def _dag() -> str:
    """Return the DAG of the stages as a Mermaid diagram, which GitHub draws."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "dag", "--md"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"`dvc dag` fails: {printable(done.stderr)}")
    return done.stdout
