"""Stage fetch: the four IDX files of MNIST, from the first source whose bytes are right."""

from pathlib import Path

from pipeline import params
from pipeline.datasets import download
from pipeline.params.fetch import FetchParams

RAW = Path("data/raw")


def main() -> None:
    """Fetch, verify and place the files."""
    settings = params.load(FetchParams, "fetch")
    download.fetch(settings.sources, RAW, deadline=settings.deadline)
