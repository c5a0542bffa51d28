"""The champion behind MLflow's scoring server."""

from typing import Any

from pipeline import machine
from pipeline.commands import loopback

EXAMPLE = "docs/examples/digit.json"
# Seconds that it may take to finish what it is answering.
GRACE = 5


def serve(port: int) -> None:
    """Serve the champion on loopback until a signal ends it.

    Raises UserError where the port is taken, where there is no champion or its files aren't right.
    """
    listener = loopback.listen(port, "serve")
    loopback.end_quietly()
    machine.prepare(1)
    app, served = _load()
    address = f"http://{loopback.HOST}:{port}"
    print(
        f"serving {served} on {address} (Ctrl-C ends it; another champion takes a restart)\n"
        f"try: curl -H 'Content-Type: application/json' -d @{EXAMPLE} {address}/invocations",
        flush=True,
    )
    loopback.run(app, listener, GRACE)


def _load() -> tuple[Any, str]:
    """Return MLflow's scoring server for the champion, behind the guard, and what it serves."""
    from mlflow.pyfunc import scoring_server

    from pipeline.servers import guard, scoring
    from pipeline.tracking import connection, logged_model, registry, run_directory

    with connection.answering():
        client = connection.connect()
        version = registry.require(client)
        directory = run_directory.read(registry.files(client, version.source))
    # As many as it was evaluated with: with others, the last digits of a probability are others.
    machine.hold(directory.record.get("parameters", {}).get("threads", 1))
    model = logged_model.load(directory, version.source.model_id)
    app = guard.guarded(scoring.checked(scoring_server.init(model)), loopback.HOST)
    return app, f"{registry.NAME} version {version.number}, {version.source.shown},"
