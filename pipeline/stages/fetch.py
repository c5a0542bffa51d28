"""Stage fetch: the four IDX files of MNIST, from the first source whose bytes are right."""

import sys
from pathlib import Path

from pipeline import params
from pipeline.datasets import download
from pipeline.params.fetch import FetchParams
from pipeline.stages.harness import run

RAW = Path("data/raw")


def main() -> None:
    """Fetch, verify and place the files."""
    settings = params.load(FetchParams, "fetch")
    download.fetch(settings.sources, RAW, deadline=settings.deadline)


if __name__ == "__main__":
    run(main, sys.argv[1:], computes=False)
