"""What `make repro` shows when it is done."""

from pathlib import Path

from rich.console import Console

from pipeline.errors import UserError
from pipeline.figures.table import table
from pipeline.tracking import evaluated

EVALUATION = Path("results/evaluation.json")

NEXT = """\
Next:
  make ui          the runs in MLflow: curves, weights, pictures, models
  results/         comparison.md, and pictures in evaluation/
  make demo        draw a digit, and see three networks read it
  make report      all of it in one file to send, results/report.html
  make reproduce   prove that every output can be made again, to the bit
In the environment (`source .venv/bin/activate`), prove a run or change something:
  python -m pipeline verify two_layer-manual
  dvc exp run -S train.two_layer.learning_rate=0.02
  dvc metrics diff --targets results/evaluation.json"""


def show() -> None:
    """Print the comparison; UserError before the pipeline has run."""
    if not EVALUATION.exists():
        raise UserError(f"{EVALUATION}: no such file; run `make repro` first")
    try:
        shown = table(evaluated.read(EVALUATION))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{EVALUATION}: is damaged ({error!r}); run `dvc repro --force evaluate`") from None
    console = Console()
    console.print(shown)
    console.print(NEXT, markup=False, highlight=False)
