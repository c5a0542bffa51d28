"""How fast the champion answers over HTTP: `python -m benchmarks.serving`, after `make promote`.

The server is a process of its own, as `make serve` starts it; the client sends JSON, encoded before the clock
starts. The table goes into docs/serving.md.
"""

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np

from benchmarks.processes import ROOT, environment
from pipeline.commands.docs import fill
from pipeline.datasets import raw_pixels
from pipeline.files import write_text
from pipeline.stages import records

PAGE = ROOT / "docs/serving.md"
ROUNDS = 5
START = 60.0
# Images a request, and requests a round.
LOADS = ((1, 100), (256, 10))


def main() -> None:
    """Measure every load, print the table and write it into the page."""
    images, _ = raw_pixels.read(ROOT / records.NORMALIZED / "test", ROOT / records.NORMALIZATION)
    with _server() as address:
        table = "\n".join(_table(address, images))
    print(table)
    write_text(PAGE, fill(PAGE.read_text(encoding="utf-8"), "speed", table))


@contextmanager
def _server() -> Iterator[str]:
    """Run the server of the command line on a free port; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    address = f"http://127.0.0.1:{port}"
    try:
        if not (server.stdout and server.stdout.readline()):  # the first line says that it listens
            sys.exit("bench: the server doesn't start")
        yield address
    finally:
        server.terminate()
        server.wait(START)


def _table(address: str, images: np.ndarray) -> Iterator[str]:
    yield "| images a request | p50, ms | p95, ms | images a second |"
    yield "|---|---|---|---|"
    with httpx.Client(headers={"content-type": "application/json"}, timeout=START) as client:
        for size, requests in LOADS:
            starts = range(0, size * requests, size)
            bodies = [json.dumps({"inputs": images[at : at + size].tolist()}).encode() for at in starts]
            rounds = [_round(client, address, bodies) for _ in range(ROUNDS + 1)][1:]  # the first warms up
            latencies = [1000 * seconds for spent in rounds for seconds in spent]
            rates = [size * requests / sum(spent) for spent in rounds]
            yield (
                f"| {size} | {statistics.median(latencies):.1f} | {np.percentile(latencies, 95):.1f} "
                f"| {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) |"
            )


def _round(client: httpx.Client, address: str, bodies: list[bytes]) -> list[float]:
    """Send all bodies, one after the other; return each one's seconds."""
    spent = []
    for body in bodies:
        started = time.perf_counter()
        client.post(f"{address}/invocations", content=body).raise_for_status()
        spent.append(time.perf_counter() - started)
    return spent


if __name__ == "__main__":
    main()
