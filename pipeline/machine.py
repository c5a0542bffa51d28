"""What the bits of a result depend on besides code and data: the processor, the BLAS and its threads."""

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.errors import UserError, printable

# Committed beside dvc.lock: on what kind of machine each stage's outputs were made.
RECORD = Path("results/platform.json")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# A library's idle threads wait for its next call by spinning. Where NumPy and torch take turns, or where
# MLflow is being imported beside them, they spin on a core that somebody else needs: a check of gradients
# took 30 s instead of 4. These are the shortest spins that slow no training down.
SHORT_SPINS = {"OPENBLAS_THREAD_TIMEOUT": "20", "GOMP_SPINCOUNT": "10000"}


def prepare(threads: int) -> None:
    """Tell the numerical libraries, before they are imported, how many threads to take."""
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    for name, value in SHORT_SPINS.items():
        os.environ.setdefault(name, value)


def hold(threads: int) -> None:
    """Hold those that are imported to exactly so many, also where the machine has fewer processors."""
    threadpool_limits(threads)


@contextmanager
def held(threads: int) -> Iterator[None]:
    """Hold those that are imported to so many inside the block, and to as many as before after it."""
    torch = sys.modules.get("torch")
    if torch is None:
        with threadpool_limits(threads):
            yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)  # threadpoolctl doesn't see its MKL
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before)


def kind() -> dict[str, Any]:
    """Return the processor, and the architecture and threads of NumPy's BLAS, as threadpoolctl has them."""
    import numpy as np  # noqa: F401 - so that there is a BLAS to report

    seen = [library for library in threadpool_info() if library["user_api"] == "blas"]
    # Apple's Accelerate is none that it sees.
    library = seen[0] if seen else {"internal_api": "unknown", "num_threads": os.cpu_count()}
    architecture = library.get("architecture", library["internal_api"])
    return {"processor": processor(), "architecture": architecture, "threads": library["num_threads"]}


def recorded(repository: Path = Path()) -> dict[str, Any]:
    """Return the kind of machine by stage, as it is recorded; UserError where the record is damaged."""
    record = repository / RECORD
    try:
        found = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        if not isinstance(found, dict) or not all(map(_is_kind, found.values())):
            raise TypeError("no kind of machine for each stage")
    except (ValueError, TypeError, RecursionError) as error:
        remedy = f"`git checkout HEAD -- {RECORD}` brings it back"
        raise UserError(f"{record}: is damaged ({printable(str(error))}); {remedy}") from error
    return found


def _is_kind(found: object) -> bool:
    return isinstance(found, dict) and {"architecture", "threads"} <= found.keys()


def words(kind: Mapping[str, Any]) -> str:
    """Return in words a kind of machine, as results/platform.json records it."""
    processor = kind.get("processor", "a processor that isn't recorded")
    return f"{processor}, BLAS architecture {kind['architecture']}, {kind['threads']} threads"


def processor() -> str:
    """Return the processor's name.

    The MKL inside of PyTorch, which threadpoolctl doesn't see, chooses its products by maker and model:
    two processors may be one architecture to NumPy's BLAS, and PyTorch's bits differ.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
