"""The command line. Each command imports what it needs when it runs."""

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import fail

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")]
Host = Annotated[str, typer.Option(help="The address to listen on: by default this machine only.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, in full precision.")]


def main() -> None:
    """Run a command: status 0, or 2 with one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal can't show is no reason to fail
    try:
        app()
    except Exception as error:
        fail(error, debug="--debug" in sys.argv)


def _stage(*arguments: str, debug: bool) -> None:
    """Run a stage as DVC does, after what its stage check_params asks: the whole of params.yaml is right."""
    from pipeline.params import whole
    from pipeline.stages import __main__ as stages

    whole.load()
    stages.main([*arguments, *(["--debug"] if debug else [])])


@app.command()
def check(debug: Debug = False) -> None:
    """Check params.yaml, and that DVC finds a repository; nothing is run or written."""
    from pipeline.commands import check as module

    module.check(Path.cwd())


@app.command()
def fetch(debug: Debug = False) -> None:
    """Stage: fetch MNIST into data/raw."""
    _stage("fetch", debug=debug)


@app.command()
def normalize(debug: Debug = False) -> None:
    """Stage: standardise and split into data/normalized."""
    _stage("normalize", debug=debug)


@app.command("fit_regression")
def fit_regression(debug: Debug = False) -> None:
    """Stage: least squares in closed form and by gradient descent."""
    _stage("fit_regression", debug=debug)


@app.command("check_gradients")
def check_gradients(debug: Debug = False) -> None:
    """Stage: hold every hand-derived gradient against autograd and central differences."""
    _stage("check_gradients", debug=debug)


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="softmax or two_layer")],
    gradient: Annotated[str, typer.Argument(help="manual or autograd")],
    debug: Debug = False,
) -> None:
    """Stage: train one model by one gradient."""
    _stage("train", model, gradient, debug=debug)


@app.command()
def baseline(
    estimator: Annotated[
        str, typer.Argument(help="ridge, logistic_regression, sgd_classifier or mlp_classifier")
    ],
    debug: Debug = False,
) -> None:
    """Stage: fit one scikit-learn estimator."""
    _stage("baseline", estimator, debug=debug)


@app.command()
def evaluate(debug: Debug = False) -> None:
    """Stage: score every model on the test set."""
    _stage("evaluate", debug=debug)


@app.command()
def exercise(
    name: Annotated[
        str,
        typer.Argument(
            help="quadratic, two_layer, spiral, digits_cg, relu_regression or softmax_loops",
            show_default=False,
        ),
    ] = "",
    variant: Annotated[str, typer.Option("--as", help="asked or answered")] = "answered",
    seed: Annotated[str, typer.Option(help="Another seed than that of params.yaml.")] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", "-S", help="KEY=VALUE: another value than in params.yaml.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run one of the six exercises and print its trace, its answer and what it checks."""
    from pipeline.commands import exercise as module

    seeds = [f"seed={seed}"] if seed else []
    module.show(name, variant, [*(changes or []), *seeds], as_json=as_json)


@app.command()
def summary(debug: Debug = False) -> None:
    """Show the comparison of all models, and what to look at next."""
    from pipeline.commands import summary as module

    module.show()


@app.command()
def report(
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("results/report.html"),
    debug: Debug = False,
) -> None:
    """Write what the pipeline found into one HTML file, to read anywhere and to send."""
    from pipeline.commands import report as module

    module.write(output)


@app.command()
def docs(debug: Debug = False) -> None:
    """Write what the pipeline produced into README.md and the pages of the exercises."""
    from pipeline.commands import docs as module

    module.write()


@app.command()
def publish(
    runs: Annotated[list[str] | None, typer.Argument(help="Names of runs; all of them by default.")] = None,
    debug: Debug = False,
) -> None:
    """Add to MLflow what it lacks, without training: after an outage, or on a new server."""
    from pipeline.tracking.publish import publish_missing

    publish_missing(Path("results"), runs or [])


@app.command()
def runs(as_json: Json = False, debug: Debug = False) -> None:
    """Show which run directories are in MLflow: published, missing, stale, duplicated or absent."""
    from pipeline.commands import runs as module

    module.show(as_json=as_json)


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="The id, the beginning of the id, or the name.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Of a name, the newest FINISHED run is meant.")],
    everything: Annotated[bool, typer.Option("--all", help="Show what is equal too.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show in which parameters, metrics and tags two runs in MLflow differ."""
    from pipeline.commands import diff as module

    module.show(first, second, everything=everything, as_json=as_json)


@app.command()
def verify(
    run: Annotated[str, typer.Argument(help="Its id, the beginning of its id, or its name.")],
    debug: Debug = False,
) -> None:
    """Prove or refute a run in MLflow: check what is stored, and make it again from its commit."""
    from pipeline.commands import verify as module

    sys.exit(module.verify(Path.cwd(), run))


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Hash everything in DVC's cache, too.")] = False,
    debug: Debug = False,
) -> None:
    """Find what a kill, a crash or a merge left broken, and say what mends it."""
    from pipeline.commands import doctor as module

    sys.exit(module.examine(deep=deep))


@app.command()
def ui(
    port: Port = 5000,
    debug: Debug = False,
) -> None:
    """Serve the MLflow UI on this machine only, until Ctrl-C."""
    from pipeline.commands import ui as module

    module.serve(port)


@app.command("team-server")
def team_server(
    port: Port = 5000,
    host: Host = "127.0.0.1",
    names: Annotated[
        list[str] | None, typer.Option("--name", help="A name that browsers know the server by.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Serve MLflow for a team, with users and passwords, until Ctrl-C: see docs/operations.md."""
    from pipeline.commands import team_server as module

    module.serve(port, host, names or [])


@app.command()
def promote(debug: Debug = False) -> None:
    """Make the best published model, by validation, the champion; say why, or why not."""
    from pipeline.commands import promote as module

    module.promote()


@app.command()
def serve(
    port: Port = 5001,
    debug: Debug = False,
) -> None:
    """Serve the champion on this machine only, until Ctrl-C: raw pixels in, probabilities out."""
    from pipeline.commands import serve as module

    module.serve(port)


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Pictures of one digit each: PNG, JPEG, …")],
    run: Annotated[
        str,
        typer.Option(help="A run under results/runs; else the champion of the registry.", show_default=False),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print all ten probabilities, as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Say which digit is in a picture, drawn or photographed."""
    from pipeline.commands import predict as module

    module.show(images, run, as_json=as_json)


@app.command()
def demo(
    port: Port = 8000,
    host: Host = "127.0.0.1",
    debug: Debug = False,
) -> None:
    """Serve a page on which you draw a digit and see three networks read it, until Ctrl-C."""
    from pipeline.commands import demo as module

    module.serve(port, host)


@app.command()
def reproduce(debug: Debug = False) -> None:
    """Run the pipeline again in a temporary clone and compare every output's hash with dvc.lock."""
    from pipeline.commands import reproduce as module

    sys.exit(module.reproduce(Path.cwd()))
