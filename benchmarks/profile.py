"""What a cold `dvc repro` costs beside the stages' work: `make profile`.

Runs the last commit's pipeline in two temporary clones, with and without tracking. A stage's work is its
`main` without tracking; starting is from its process to there (Python and imports); publishing is what it
takes longer with tracking; the rest is DVC, which hashes what went in and what came out.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import ROOT, environment

RUNNING = re.compile(r"^Running stage '(.+)':$")


def main() -> None:
    """Print a row a stage, and the share that is no work."""
    with tempfile.TemporaryDirectory(prefix="gradline profile ") as scratch:
        silent, _ = _cold_run(Path(scratch) / "silent", tracking="off")
        tracked, wall = _cold_run(Path(scratch) / "tracked", tracking="on")
    print("| stage | whole | start | work | publishing | DVC |\n|---|---|---|---|---|---|")
    overheads = []
    for stage, (_, _, work) in silent.items():
        whole, start, seconds = tracked[stage]
        publishing = max(0.0, seconds - work)
        dvc = whole - start - seconds
        overheads.append(start + publishing)
        print(f"| {stage} | {whole:.2f} | {start:.2f} | {work:.2f} | {publishing:.2f} | {dvc:.2f} |")
    print(
        f"\nStarting and publishing: {sum(overheads):.1f} s of {wall:.1f} s ({sum(overheads) / wall:.0%}), "
        f"at most {max(overheads):.2f} s in a stage."
    )


def _cold_run(clone: Path, tracking: str) -> tuple[dict[str, tuple[float, float, float]], float]:
    """Return each stage's whole seconds, those to its start and those of its main; and the run's."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--force"],
        cwd=clone,
        # Into a store of the clone's own, whatever the user's is.
        env={
            **environment(),
            "GRADLINE_TRACKING": tracking,
            "MLFLOW_TRACKING_URI": f"sqlite:///{clone.resolve()}/mlflow.db",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    at = {}
    for line in process.stdout:
        if found := RUNNING.match(line):
            at[found[1]] = time.perf_counter()
            print(f"profile: {found[1]}", file=sys.stderr, flush=True)
    if process.wait():
        sys.exit("profile: `dvc repro` failed; run it in a clone to see why")
    ended = time.perf_counter()
    rows = {}
    for (stage, start), end in zip(at.items(), [*list(at.values())[1:], ended], strict=True):
        path = clone / "results/timings" / f"{stage.replace('@', '-')}.json"
        timing = json.loads(path.read_text(encoding="utf-8"))
        rows[stage] = (end - start, timing["start"], timing["seconds"])
    return rows, ended - began


main()
