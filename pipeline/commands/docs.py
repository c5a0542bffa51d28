"""Write what the pipeline produced into README.md, between markers, so that no number in it is typed."""

import re
import subprocess
import sys
from pathlib import Path

from pipeline.errors import UserError
from pipeline.files import write_text

README = Path("README.md")
COMPARISON = Path("results/comparison.md")


def write() -> None:
    """Fill the sections of README.md anew; UserError before the pipeline has run."""
    write_text(README, filled(README.read_text(encoding="utf-8")))


def filled(text: str) -> str:
    """Return a page with the DAG and the comparison as they are now between their markers."""
    if not COMPARISON.exists():
        raise UserError(f"{COMPARISON}: no such file; run `make repro` first")
    text = _fill(text, "dag", _dag())
    return _fill(text, "comparison", COMPARISON.read_text(encoding="utf-8"))


def _fill(text: str, name: str, content: str) -> str:
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
        raise UserError(f"`dvc dag` fails: {' '.join(done.stderr.split())}")
    return done.stdout
