"""Stage check_params: refuse a wrong params.yaml before any other stage touches an output."""

import sys
from pathlib import Path

from pipeline import params
from pipeline.files import write_text
from pipeline.params.whole import Params
from pipeline.stages.harness import run

OUTPUT = Path("data/params.checked")


def main() -> None:
    """Validate every parameter. The output says no more than that, so no other stage runs because of it."""
    params.load(Params)
    write_text(OUTPUT, "Every parameter in params.yaml is known, of the right type and possible.\n")


if __name__ == "__main__":
    run(main, sys.argv[1:], computes=False)
