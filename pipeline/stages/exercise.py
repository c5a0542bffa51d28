"""Stage exercise: one of the six, as asked and as answered, with its figure."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import exercises, params
from pipeline.exercises import VARIANTS, Exercise, Variant
from pipeline.exercises.outcome import Outcome, as_table, plain, refusing, require, traces, without_traces
from pipeline.files import write_bytes, write_json
from pipeline.params.threads import ThreadsParams
from pipeline.stages import records
from pipeline.tracking import run_directory
from pipeline.tracking.reporter import Report, reporting

RESULTS = Path("results/exercises")
# What authors call otherwise than MLflow's other runs do.
METRICS = {"accuracy": "train/accuracy", "training_accuracy": "train/accuracy"}


def main(name: str) -> None:
    """Run both variants, hold them to their claims, and leave two runs, the figure and what was found."""
    exercise = exercises.get(name)
    settings = params.load(type(exercise.RECIPE), f"exercise.{name}")
    with refusing(f"params.yaml: exercise.{name}"):
        # Before a publisher imports MLflow: it would take the core and the caches that are measured.
        speed = exercise.timings(settings)
    with ExitStack() as ending:
        reports: dict[Variant, Report] = {
            variant: ending.enter_context(reporting(f"exercise-{name}-{variant}", experiment="exercises"))
            for variant in VARIANTS
        }
        outcomes = {variant: _run(exercise, name, variant, settings) for variant in VARIANTS}
        figure = import_module(f"pipeline.figures.exercises.{name}").draw(**outcomes)
        write_bytes(RESULTS / f"{name}.png", figure)
        write_json(RESULTS / f"{name}.json", {variant: _found(outcomes[variant]) for variant in VARIANTS})
        directories = {
            variant: _write_run(exercise, name, variant, settings, outcomes[variant], figure)
            for variant in VARIANTS
        }
        for variant in VARIANTS:
            reports[variant].finished(directories[variant], measured=speed)
    claims = sum(len(outcome.claims) for outcome in outcomes.values())
    print(f"exercise {name}: as asked and as answered, all {claims} claims hold")


def _run(exercise: Exercise, name: str, variant: Variant, settings: Any) -> Outcome:
    with refusing(f"params.yaml: exercise.{name}"):
        outcome = exercise.run(variant, settings)
    require(name, variant, outcome)
    return outcome


def _found(outcome: Outcome) -> dict[str, Any]:
    """Return what the documentation shows of an outcome."""
    return {
        "results": plain(without_traces(outcome.results)),
        "printed": outcome.printed,
        "claims": [claim.shown for claim in outcome.claims],
    }


def _write_run(
    exercise: Exercise, name: str, variant: Variant, settings: Any, outcome: Outcome, figure: bytes
) -> Path:
    run = f"exercise-{name}-{variant}"
    directory = records.RUNS / run
    threads = params.load_fields(ThreadsParams).threads
    run_directory.write(
        directory,
        record={
            "run": run,
            "experiment": "exercises",
            "parameters": {"threads": threads, "exercise": {name: settings.model_dump()}},
            "dataset": {"name": name, "train": _dataset(outcome)},
            "exercise": name,
            "variant": variant,
            "model": outcome.model,
            "gradient": outcome.gradient,
            "description": _description(exercise, name, variant, outcome),
            "look_at": f"the curve of `train/loss` and the picture `run/figures/{name}.png`; "
            f"select the run `exercise-{name}-{exercises.other(variant)}` too and compare",
        },
        weights=outcome.weights,
        metrics=dict(_metrics(plain(without_traces(outcome.results)))),
        history=_history(outcome),
        figures={f"{name}.png": figure},
    )
    return directory


def _dataset(outcome: Outcome) -> dict[str, Any]:
    both = b"".join(np.ascontiguousarray(array).tobytes() for array in (outcome.X, outcome.y))
    return {"digest": hashlib.sha256(both).hexdigest(), "samples": len(outcome.y)}


def _metrics(results: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number among the results under its name, those inside of others under a path."""
    for name, value in results.items():
        if isinstance(value, Mapping):
            yield from _metrics(value, f"{above}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{above}{METRICS.get(name, name)}", value


def _history(outcome: Outcome) -> list[dict[str, float]]:
    """Return a row an iteration with the columns of all settings; the main trace's have no prefix."""
    rows: dict[int, dict[str, float]] = {}
    for setting, trace in traces(outcome):
        for row in trace:
            at = rows.setdefault(row["iteration"], {"step": row["iteration"]})
            prefix = f"{setting}/" if setting else ""
            for key, value in row.items():
                if key == "loss":
                    at[f"{prefix}train/loss"] = value
                elif isinstance(value, list):
                    at |= {f"{prefix}{key}/{index}": each for index, each in enumerate(value)}
                elif key != "iteration":
                    at[f"{prefix}{key}"] = value
    return [rows[iteration] for iteration in sorted(rows)]


def _description(exercise: Exercise, name: str, variant: Variant, outcome: Outcome) -> str:
    """Return in Markdown the question, the answer, and what this variant shows."""
    title, does = exercises.headline(exercise, variant)
    return "\n".join(
        [
            f"**{title}**, as {variant}: {does}.",
            "",
            f"**Question.** {exercise.QUESTION}",
            "",
            f"**Answer.** {exercise.ANSWER}",
            "",
            f"The derivation is in `docs/exercises/{name}.md`.",
            "",
            *as_table(claim.shown for claim in outcome.claims),
        ]
    )
