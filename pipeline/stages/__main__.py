"""Run a stage, as dvc.yaml does: `python -m pipeline.stages train softmax manual`.

Holds the threads before the stage imports a numerical library, turns what goes wrong into one line,
and records on what machine, and for how long, the stage ran.
"""

import gc
import inspect
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from pipeline import machine, params
from pipeline.errors import UserError, fail
from pipeline.files import write_json
from pipeline.params.threads import ThreadsParams
from pipeline.stages import keeper

# Stages that move or check bytes, and compute none: no thread or library can change what they leave.
MOVING = ("check_params", "fetch")
COMPUTING = (
    *("normalize", "fit_regression", "train", "baseline", "check_gradients", "evaluate"),
    "exercise",
)
TIMINGS = Path("results/timings")


def main(arguments: list[str]) -> None:
    """Run the stage that the first argument names; exit status 2 and one line where that fails.

    `--debug` shows the traceback.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        keeper.end_with_dvc()
        _run(*(argument for argument in arguments if argument != "--debug"))
    except Exception as error:
        fail(error, debug="--debug" in arguments)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(name: str = "", *arguments: str) -> None:
    if name in COMPUTING:
        threads = params.load_fields(ThreadsParams).threads
        machine.prepare(threads)
        gc.disable()  # what imports make is here to stay: looking for garbage in it only takes time
        stage = import_module(f"pipeline.stages.{name}")
        gc.freeze()
        gc.enable()
        machine.hold(threads)
    elif name in MOVING:
        stage = import_module(f"pipeline.stages.{name}")
    else:
        raise UserError(f"stage {name!r}: choose one of {', '.join(MOVING + COMPUTING)}")
    try:
        inspect.signature(stage.main).bind(*arguments)
    except TypeError as error:
        raise UserError(f"stage {name!r}: {error}; it takes {inspect.signature(stage.main)}") from None
    with keeper.alone([name, *arguments]):
        machine.recorded()  # refuses a damaged one before the work and not after it
        started = time.perf_counter()
        stage.main(*arguments)
        _record(name in COMPUTING, time.perf_counter() - started)


def _record(computes: bool, seconds: float) -> None:
    """Note where a stage of the pipeline ran, how long it took to start, and how long for its work.

    By hand there is no output to speak for.
    """
    name = os.environ.get("DVC_STAGE")
    if not name:
        return
    if computes:
        write_json(machine.RECORD, {**machine.recorded(), name: machine.kind()})
    # Outside git and DVC: a duration is no output, since it is never the same twice.
    timing = {"start": round(_age() - seconds, 3), "seconds": round(seconds, 3)}
    write_json(TIMINGS / f"{name.replace('@', '-')}.json", timing)


def _age() -> float:
    """Return the seconds since this process was started; 0 where Linux's /proc doesn't tell."""
    try:
        # psutil's answer is off by up to a second: it adds the time of booting, in whole seconds.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return 0.0


def _terminate(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main(sys.argv[1:])
