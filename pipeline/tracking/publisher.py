"""The process beside a stage: hears of its run on stdin, publishes it, and says on stdout how it gets on.

It outlives what its stage dies of: signals are ignored, and a stage that is killed closes the pipe. It
always ends by itself: with its work, at the first failure, or by an alarm set when the stage has ended.
"""

import contextlib
import gc
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO

from pipeline.errors import UserError
from pipeline.tracking import failures, store, warm

# Seconds for everything that is left to do when the stage has ended.
AT_MOST = 90
# Between two signs of life during imports and the creation of a store, which wait for no server.
SIGN_OF_LIFE = 0.5


def main(arguments: Sequence[str]) -> int:
    """Publish what stdin tells of; with `--serve ADDRESS` be the warm one that others hand over to."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if arguments:
        warm.serve(arguments[1], _import, _publish)
        return 0
    status = warm.hand_over(lambda: _say(sys.stdout, "preparing"))
    if status is None:
        _publish()
    return status or 0


def _publish() -> None:
    """Publish what stdin tells of. Nothing is raised: the line `failed <reason>` is the answer."""
    answers = _take_stdout()
    first = sys.stdin.readline()
    if not first:
        return
    messages: queue.Queue[dict[str, object]] = queue.Queue()
    threading.Thread(target=_receive, args=(messages,), daemon=True).start()
    with _signs_of_life(answers):
        _import()
    from pipeline.tracking import connection, quiet_mlflow, streaming

    quiet_mlflow.settle()  # a fork of the warm publisher has its stage's environment, without these
    try:
        with _signs_of_life(answers):
            connection.prepare()
        streaming.publish(json.loads(first), messages, lambda: _say(answers, "progress"))
    except UserError as error:
        _say(answers, f"failed {str(error).removeprefix(f'{store.shown()}: ')}")  # the stage names it
    except Exception as error:
        _say(answers, f"failed {failures.reason(error)}")


def _import() -> None:
    """Import all that publishing takes."""
    # Collecting garbage while MLflow's thousands of classes come into being costs a second, and finds none.
    gc.disable()
    from pipeline.tracking import connection, streaming  # noqa: F401

    with contextlib.suppress(UserError):  # there is no place for one: whoever asks for it is told
        connection.import_store()
    gc.freeze()
    gc.enable()


def _take_stdout() -> IO[str]:
    """Return the pipe to the stage; what libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
    return answers


def _receive(messages: "queue.Queue[dict[str, object]]") -> None:
    """Pass on every message; when the pipe closes without a last one, the stage is lost."""
    for line in sys.stdin:
        with contextlib.suppress(ValueError):  # the stage died in the middle of a line
            messages.put(json.loads(line))
    signal.alarm(AT_MOST)
    messages.put({"end": "FAILED", "failure": "the stage's process ended without a word, as by kill -9"})


def _say(answers: IO[str], line: str) -> None:
    with contextlib.suppress(OSError):  # the stage may be gone, or waiting no longer
        print(" ".join(line.split()), file=answers, flush=True)


@contextlib.contextmanager
def _signs_of_life(answers: IO[str]) -> Iterator[None]:
    done = threading.Event()

    def beat() -> None:
        while not done.wait(SIGN_OF_LIFE):
            _say(answers, "preparing")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # All is published or given up. Taking down MLflow's modules one by one would cost the stage, which
    # waits for this process, another second.
    os._exit(status)
