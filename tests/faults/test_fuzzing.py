"""A hundred thousand files that nobody would write: an array or parameters as they stand, or one line."""

import re

import pytest

from tests.faults.fuzzing import MEGABYTES
from tests.faults.measured import module

MINUTES = 10


def fuzz(folder, what: str, way: str, cases: int) -> str:
    """Run so many cases; the process ends at the first that breaks a promise."""
    if way == "atheris":
        pytest.importorskip("atheris", reason="atheris has no release for this platform")
    ended = module(
        "tests.faults.fuzzing", folder, what, way, str(cases), seconds=60 * MINUTES, TMPDIR=str(folder)
    )
    assert ended.status == 0, ended.said[-4000:]
    done = int(re.search(r"^Done (\d+) runs", ended.said, re.MULTILINE)[1])
    assert done == cases
    assert ended.peak < MEGABYTES
    return f"{done:,} cases by {way}, peak {ended.peak:.0f} MB of memory"


@pytest.mark.slow
@pytest.mark.fault("Getting data", "any bytes at all as an IDX file")
@pytest.mark.parametrize(("way", "cases"), [("atheris", 80_000), ("hypothesis", 15_000)])
def test_any_bytes_are_an_array_or_refused_in_one_line(tmp_path, happened, way, cases):
    happened(fuzz(tmp_path, "idx", way, cases))


@pytest.mark.slow
@pytest.mark.fault("Configuration", "any value in any field, and any bytes at all as params.yaml")
@pytest.mark.parametrize(("way", "cases"), [("atheris", 12_000), ("hypothesis", 3_000)])
def test_any_file_is_parameters_as_they_stand_or_refused_in_one_line(tmp_path, happened, way, cases):
    happened(fuzz(tmp_path, "params", way, cases))
