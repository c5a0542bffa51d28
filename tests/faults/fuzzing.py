"""Fuzz a reader in a process of its own: `python -m tests.faults.fuzzing idx atheris 60000`.

Any exception but a UserError of one line ends it, and so does a case of more than 5 seconds or 1 GB.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

SECONDS, MEGABYTES = 5, 1024


def by_hypothesis(what: str, cases: int) -> None:
    """Draw what the format is made of."""
    from hypothesis import HealthCheck, settings

    from tests.faults.fuzz_targets import GIVEN

    limits = settings(
        max_examples=cases,
        deadline=timedelta(seconds=SECONDS),
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    limits(GIVEN[what])()
    print(f"Done {cases} runs")


def by_atheris(what: str, cases: int) -> None:
    """Let the code that was reached so far guide the bytes. It ends the process."""
    import atheris

    with atheris.instrument_imports(include=["pipeline", "ruamel"]):
        from tests.faults.fuzz_targets import BYTES, SEEDS
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[what]):
            (Path(folder) / str(number)).write_bytes(seed)
        limits = [f"-runs={cases}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", "-max_len=2000"]
        atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", folder], BYTES[what])
        atheris.Fuzz()


if __name__ == "__main__":
    what, way, cases = sys.argv[1:]
    {"atheris": by_atheris, "hypothesis": by_hypothesis}[way](what, int(cases))
