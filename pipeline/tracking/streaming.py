"""The MLflow side of a stage's report: a run that is RUNNING while the stage trains, then ended for good."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.tracking import (
    connection,
    evaluation,
    failures,
    filling,
    lineage,
    opening,
    ownership,
    patch,
    projection,
    run_directory,
    store,
)
from pipeline.tracking.projection import Point
from pipeline.tracking.quiet_mlflow import MlflowClient, MlflowException, Run, SystemMetricsMonitor

Message = dict[str, Any]
Messages = queue.Queue[Message]
Progress = Callable[[], None]

# Seconds of rows that are sent at once: often enough to watch, seldom enough not to slow the training.
EVERY = 1.0


def publish(message: Message, messages: Messages, progress: Progress) -> None:
    """Do what the first message asks for. Raises what goes wrong."""
    client = connection.connect()
    progress()
    with suppress(MlflowException):  # what others left is no reason to fail
        ownership.end_abandoned(client)
    if "evaluation" in message:
        evaluation.add_all(client, Path(message["evaluation"]), Path(message["figures"]), progress)
        return
    tags = lineage.of_this_process()
    # Now, since the user may go on editing while the stage trains.
    changes = patch.take() if tags.get("git.dirty") == "true" else patch.Patch()
    tags |= changes.tags
    progress()
    experiment = connection.experiment_id(client, message["experiment"])
    run = opening.create(client, experiment, message["run"], tags)
    progress()
    try:
        patch.log(client, run.info.run_id, changes)
        with _system_metrics(run):
            streamed, end = _stream(client, run, messages, progress)
        _end(client, run, tags, streamed, end, progress)
    except Exception as error:
        connection.abandon(client, run, failures.reason(error))
        raise


@contextmanager
def _system_metrics(run: Run) -> Iterator[None]:
    """Log what the machine does meanwhile: a point every ten seconds, so that a short run has none."""
    create: Any = SystemMetricsMonitor  # has no types
    monitor = create(run.info.run_id, sampling_interval=2, samples_before_logging=5, tracking_uri=store.uri())
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


def _stream(
    client: MlflowClient, run: Run, messages: Messages, progress: Progress
) -> tuple[set[Point], Message]:
    """Publish rows as they come; return the points sent and the last message."""
    streamed: set[Point] = set()
    while True:
        waiting = _collect(messages)
        rows = [message["row"] for message in waiting if "row" in message]
        points = {point for row in rows for point in projection.points(row)}
        filling.send(
            client, (filling.at(run, point) for point in points - streamed), run.info.run_id, progress
        )
        streamed |= points
        if "end" in waiting[-1]:
            return streamed, waiting[-1]


def _collect(messages: Messages) -> list[Message]:
    """Wait for a message and return it with those of the next second, or up to the last one."""
    waiting = [messages.get()]
    until = time.monotonic() + EVERY
    while "end" not in waiting[-1]:
        try:
            waiting.append(messages.get(timeout=max(0.0, until - time.monotonic())))
        except queue.Empty:
            break
    return waiting


def _end(
    client: MlflowClient, run: Run, tags: lineage.Tags, streamed: set[Point], end: Message, progress: Progress
) -> None:
    if end["end"] != "FINISHED":
        connection.abandon(client, run, end["failure"], end["end"])
        return
    directory = run_directory.read(Path(end["directory"]))
    filling.fill(
        client,
        run,
        directory,
        tags,
        streamed=streamed,
        measured=end["measured"],
        progress=progress,
    )
