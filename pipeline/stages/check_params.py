"""Stage check_params: refuse a wrong params.yaml before any other stage touches an output."""

from pathlib import Path

from pipeline.files import write_text
from pipeline.params import whole
from pipeline.tracking import reporter

OUTPUT = Path("data/params.checked")


def main() -> None:
    """Validate every parameter. The output says no more than that, so no other stage runs because of it."""
    whole.load()
    reporter.prepare()  # this is the first stage, and the next ones that tell of a run are some seconds away
    write_text(OUTPUT, "Every parameter in params.yaml is known, of the right type and possible.\n")
