"""The page on which one draws a digit."""

from pipeline import machine
from pipeline.commands import loopback

# Seconds that it may take to finish what it is answering.
GRACE = 2


def serve(port: int, host: str) -> None:
    """Serve the page until a signal ends it.

    Raises UserError where the port is taken or a run directory is missing.
    """
    listener = loopback.listen(port, "demo", host)
    loopback.end_quietly()
    machine.prepare(1)  # one drawing at a time
    from pipeline.demo import app, networks
    from pipeline.stages.records import RUNS

    application = app.create(networks.load(RUNS), host)
    print(f"Draw a digit: http://{host}:{port} (Ctrl-C ends it)", flush=True)
    loopback.run(application, listener, GRACE)
