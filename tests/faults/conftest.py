"""Faults that are really injected. Each is a row of docs/reliability.md, and a line when the tests end.

A test is marked `fault(area, what goes wrong)`; with the fixture `happened` it says what happened. One that
is marked `slow` too runs in `make faults` only.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.figures.comparison import RUNS
from tests.faults.servers import Server
from tests.faults.tracked import Tracked
from tests.loopback import free_port
from tests.repositories import Repository, commit, copy, copy_of_the_project
from tests.stages.conftest import fill

FAULT, HAPPENED = "fault", "happened"
Say = Callable[[str], None]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the fault travel with the test's report, also from another process."""
    for mark in item.iter_markers(FAULT):
        area, what = mark.args
        item.user_properties.append((FAULT, f"{area}: {what}"))


@pytest.fixture
def happened(record_property: Callable[[str, Any], None]) -> Say:
    """Say in a few words what happened, for the row of this fault."""
    return lambda words: record_property(HAPPENED, " ".join(words.split()))


@pytest.fixture
def tracked(empty_store: Path, tmp_path: Path) -> Tracked:
    """A project that trains for a second, and its store; a space and an é are in its path."""
    folder = fill(tmp_path / "a pröject")
    (folder / ".dvc").mkdir()
    shutil.copyfile(empty_store, folder / "mlflow.db")
    return Tracked(folder)


@pytest.fixture(scope="session")
def server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server, for all tests of a process: they find it running."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    started = Server(folder, free_port())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # the tests', which may read a lot
        yield started
    started.kill()


@pytest.fixture
def on_server(server: Server, tmp_path: Path) -> Tracked:
    """A project with that server, where nobody has a run yet."""
    project = Tracked(fill(tmp_path / "project"), server.address)
    for run in project.runs():
        project.client().delete_run(run.info.run_id)
    return project


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line a row: pass or fail, the fault, what happened."""
    lines: dict[str, str] = {}
    for outcome, word in (("skipped", "skip"), ("passed", "pass"), ("error", "FAIL"), ("failed", "FAIL")):
        for report in terminalreporter.getreports(outcome):
            properties = getattr(report, "user_properties", [])
            said = "; ".join(text for name, text in properties if name == HAPPENED)
            for name, fault in properties:
                if name == FAULT:
                    lines[report.nodeid] = f"{word}  {fault} -> {said}" if said else f"{word}  {fault}"
    if lines:
        terminalreporter.section("faults")
        for line in sorted(lines.values(), key=lambda line: line[4:]):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Four stages, fetch, normalize, train@softmax-manual and evaluate; the first three ran, untracked."""
    made = copy_of_the_project(tmp_path_factory.mktemp("four stages") / "répository")
    yaml = YAML()
    definition = yaml.load(made.path / "dvc.yaml")
    stages = definition["stages"]
    for name in list(stages):
        if name not in ("check_params", "fetch", "normalize", "train", "evaluate"):
            del stages[name]
    stages["train"]["matrix"] = {"model": ["softmax"], "gradient": ["manual"]}
    yaml.dump(definition, made.path / "dvc.yaml")
    made.repro("train@softmax-manual", GRADLINE_TRACKING="off")
    commit(made, "Its outputs")
    return made


@pytest.fixture(scope="session")
def subset(trained: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The same with evaluate. The other runs that it reads are copies: it asks no more of them."""
    made = copy(trained, tmp_path_factory.mktemp("evaluated") / "répository")
    run = made.path / "results/runs/softmax-manual"
    for name in set(RUNS) - {run.name}:
        shutil.copytree(run, run.with_name(name))
        record = json.loads((run / "record.json").read_text())
        (run.with_name(name) / "record.json").write_text(json.dumps({**record, "run": name}))
    made.repro(GRADLINE_TRACKING="off")
    commit(made, "Its outputs")
    return made
