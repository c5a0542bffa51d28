"""How a stage tells of its run while it trains, without ever waiting for MLflow or failing with it.

A process of its own, `pipeline.tracking.publisher`, imports MLflow while the stage computes, and hears
of the run through a pipe. Whatever goes wrong there is one line on stderr. What it couldn't publish
stands in the run directory, and `make publish` adds it. GRADLINE_TRACKING=off: no process at all.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import first_line
from pipeline.tracking import store

# How long a stage waits, when it is done, for a publisher that gives no sign of progress: one that
# publishes gives several a second, and seconds pass without one only where the store doesn't answer.
PATIENCE = 5.0
# How long it waits for one that does make progress.
AT_MOST = 60.0
# How long it waits when it is itself being ended; the publisher then goes on by itself.
WHEN_KILLED = 3.0
# How long a publisher that has said why it gives up may take to exit.
GRACE = 2.0
# Rows that may be waiting to be written to the pipe. Those beyond are dropped: at the end, all that the
# stream lacks is published from the run directory.
BUFFERED = 10_000

PACKAGES = Path(__file__).resolve().parents[2]
Message = dict[str, Any]


class Report:
    """What a stage may tell of a run. None of it blocks or raises."""

    def __init__(self, run: str, experiment: str) -> None:
        self._started = time.perf_counter()
        self._of_run = None if _off() else _Publisher({"run": run, "experiment": experiment})
        self._of_evaluation: _Publisher | None = None
        self._ended = False

    def row(self, row: Mapping[str, float]) -> None:
        """Show one row of the history now: `epoch` or `step`, and metrics by name."""
        if self._of_run:
            self._of_run.send({"row": dict(row)})

    def finished(self, directory: Path, measured: Mapping[str, float] | None = None) -> None:
        """Say that the run directory is complete: it is published while the stage goes on.

        `measured` are metrics that no file may hold, since they are never the same twice: durations.
        """
        durations = {"duration_seconds": time.perf_counter() - self._started, **(measured or {})}
        self._end({"end": "FINISHED", "directory": str(directory.resolve()), "measured": durations})

    def evaluated(self, evaluation: Path, figures: Path) -> None:
        """Say that evaluation.json and `figures`/<run>/ are complete: they are added to their runs."""
        if self._of_run:
            told = {"evaluation": str(evaluation.resolve()), "figures": str(figures.resolve())}
            self._of_evaluation = _Publisher(told)
            self._of_evaluation.end({"end": "FINISHED"})

    def close(self, status: str, failure: str) -> None:
        """End a run that isn't finished, and wait, but never long, until all that was told is published."""
        self._end({"end": status, "failure": failure})
        for publisher in filter(None, (self._of_run, self._of_evaluation)):
            publisher.wait(WHEN_KILLED if status == "KILLED" else None)

    def _end(self, message: Message) -> None:
        if self._of_run and not self._ended:
            self._of_run.end(message)
        self._ended = True


@contextmanager
def reporting(name: str, *, experiment: str) -> Iterator[Report]:
    """Open a run of this name; leaving the block ends it FINISHED, FAILED or KILLED."""
    report = Report(name, experiment)
    try:
        yield report
    except BaseException as error:
        report.close("KILLED" if _is_end_of_process(error) else "FAILED", first_line(error))
        raise
    report.close("FAILED", "the stage left no run directory")


def prepare() -> None:
    """Let MLflow be imported for the stages that follow; neither waits for it nor fails with it."""
    if not _off():
        with suppress(OSError):  # without it, the first of them does so itself
            # It hears of no run, and holds nobody's pipe open.
            _start_publisher(subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)


def _off() -> bool:
    return os.environ.get("GRADLINE_TRACKING", "").lower() == "off"


def _is_end_of_process(error: BaseException) -> bool:
    """Tell Ctrl-C and a signal's exit status, 128 and above, from a failure of the stage."""
    if isinstance(error, SystemExit):
        return isinstance(error.code, int) and error.code >= 128
    return isinstance(error, KeyboardInterrupt)


def _start_publisher(stdin: int, stdout: int, stderr: int | None) -> "subprocess.Popen[bytes]":
    paths = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.tracking.publisher"],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,  # Ctrl-C is the stage's to report, not the publisher's to die of
    )


class _Publisher:
    """The process, a thread that feeds it, and a thread that hears how it gets on."""

    def __init__(self, opening: Message) -> None:
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._heard = time.monotonic()
        self._warned = False
        self._process = self._start()
        if self._process:
            self._write(self._process, opening)  # the first line into an empty pipe never blocks
            self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
            self._listener.start()
            threading.Thread(target=self._feed, args=(self._process,), daemon=True).start()

    def send(self, message: Message) -> None:
        """Hand a message to the feeding thread; dropped where too many wait."""
        if self._messages.qsize() < BUFFERED:
            self._messages.put(message)

    def end(self, message: Message) -> None:
        """Send the last message."""
        self._messages.put(message)
        self._messages.put(None)

    def wait(self, at_most: float | None = None) -> None:
        """Wait for the process to end; not so many seconds, or no longer than it has something to do."""
        if not self._process:
            return
        if at_most is None:
            self._wait(self._process)
        else:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(at_most)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        left = time.monotonic()
        while process.poll() is None:
            now = time.monotonic()
            patience = GRACE if self._warned else PATIENCE
            if now - max(left, self._heard) > patience or now - left > AT_MOST:
                process.kill()
                self._warn(f"no answer within {now - left:.0f} s")
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        self._listener.join(1)  # it may have been told why, in the last moment
        if process.wait():
            self._warn("the publisher ended unexpectedly")

    def _start(self) -> "subprocess.Popen[bytes] | None":
        try:
            return _start_publisher(subprocess.PIPE, subprocess.PIPE, None)
        except OSError as error:
            self._warn(str(error.strerror))
            return None

    def _feed(self, process: "subprocess.Popen[bytes]") -> None:
        """Write to the pipe what is in the queue. Only this thread blocks when nobody reads."""
        while (message := self._messages.get()) is not None:
            self._write(process, message)
        with suppress(OSError):
            process.stdin and process.stdin.close()

    def _write(self, process: "subprocess.Popen[bytes]", message: Message) -> None:
        # A publisher that has given up doesn't read; a row that is no JSON isn't worth a stage.
        with suppress(OSError, ValueError, TypeError):
            line = json.dumps(message, default=float).encode() + b"\n"
            if process.stdin:
                process.stdin.write(line)
                process.stdin.flush()

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        """Every line of the publisher is a sign of progress; one that says `failed` is the last."""
        for line in process.stdout or ():
            self._heard = time.monotonic()
            reason = line.decode(errors="replace").strip().removeprefix("failed ")
            if line.startswith(b"failed "):
                self._warn(reason)

    def _warn(self, reason: str) -> None:
        """Say once why the run isn't in MLflow."""
        if not self._warned:
            self._warned = True
            remedy = "the run is not in MLflow, `make publish` adds it"
            print(f"warning: tracking: {store.shown()}: {reason}; {remedy}", file=sys.stderr)
