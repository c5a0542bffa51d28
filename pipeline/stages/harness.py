"""What every stage is wrapped in: threads, messages, signals, and a record of where and how long it ran."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from threadpoolctl import threadpool_info, threadpool_limits

from pipeline import params
from pipeline.errors import UserError
from pipeline.files import write_json
from pipeline.params.threads import ThreadsParams

PLATFORM = Path("results/platform.json")
TIMINGS = Path("results/timings")
# What the numerical libraries read when they are loaded; threadpool_limits holds those already loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run(stage: Callable[..., None], arguments: Sequence[str], *, computes: bool = True) -> NoReturn:
    """Run a stage as a command: status 0, or 2 with one line on stderr; `--debug` shows the traceback.

    A stage that `computes` has the bits of its outputs depend on the machine's arithmetic: its threads
    are held to the parameter, and what it ran on is recorded.
    """
    debug = "--debug" in arguments
    signal.signal(signal.SIGTERM, _terminate)
    try:
        started = time.perf_counter()
        if computes:
            limit_threads(params.load_top(ThreadsParams).threads)
        stage(*(argument for argument in arguments if argument != "--debug"))
        _record(computes, time.perf_counter() - started)
    except (UserError, OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def limit_threads(threads: int) -> None:
    """Hold every numerical library, loaded or still to be loaded, to this number of threads."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    threadpool_limits(threads)


def blas() -> dict[str, Any]:
    """Return what the bits of a result depend on besides the code: NumPy's BLAS and its threads."""
    library = next(library for library in threadpool_info() if library["user_api"] == "blas")
    return {
        "architecture": library.get("architecture", library["internal_api"]),
        "threads": library["num_threads"],
    }


def _record(computes: bool, seconds: float) -> None:
    """Note where and how long a stage of the pipeline ran; by hand there is no output to speak for."""
    name = os.environ.get("DVC_STAGE")
    if not name:
        return
    # In git beside dvc.lock: on what kind of machine these outputs were made.
    if computes:
        record = json.loads(PLATFORM.read_text()) if PLATFORM.exists() else {}
        write_json(PLATFORM, {**record, name: blas()})
    # Outside git and DVC: a duration is no output, since it is never the same twice.
    write_json(TIMINGS / f"{name.replace('@', '-')}.json", {"seconds": round(seconds, 3)})


def _terminate(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
