"""`python -m pipeline`: what each command says, and with which status it ends."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands import app
from pipeline.stages import __main__ as stages

REPOSITORY = Path(__file__).parents[2]
COMMANDS = {
    *(
        "check",
        "doctor",
        "fetch",
        "normalize",
        "fit_regression",
        "check_gradients",
        "train",
        "baseline",
        "evaluate",
    ),
    *("exercise", "summary", "report", "docs", "publish", "runs", "diff", "verify", "ui"),
    *("promote", "serve", "team-server", "predict", "demo", "reproduce"),
}


@pytest.fixture
def call(tmp_path, monkeypatch, run_command):
    """Run a command in a folder with the shipped params.yaml; return status, stdout and stderr."""
    (tmp_path / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")

    return run_command


def test_help_lists_every_command_with_what_it_does(call):
    status, out, _ = call("--help")
    assert status == 0
    assert {command.name or command.callback.__name__ for command in app.app.registered_commands} == COMMANDS
    for command in COMMANDS:
        assert any(f" {command} " in line and len(line.split()) > 4 for line in out.splitlines()), command


def test_without_a_command_the_help_is_shown(call):
    _, out, err = call()
    assert "reproduce" in out + err


def test_an_unknown_command_and_option_are_refused_by_name_without_a_traceback(call):
    for arguments, name in ((("nonsense",), "nonsense"), (("check", "--nonsense"), "--nonsense")):
        status, out, err = call(*arguments)
        assert (status, out) == (2, "")
        assert name in err
        assert "Traceback" not in err


def test_python_dash_m_runs_the_command_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    told = "error: params.yaml: no such file; run in the folder that holds it\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


def test_check_says_nothing_of_the_shipped_parameters_and_writes_nothing(call, tmp_path):
    assert call("check") == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_check_refuses_a_wrong_parameter_in_one_line(call, tmp_path):
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("momentum:", "momentun:", 1))
    status, out, err = call("check")
    assert (status, out) == (2, "")
    assert err.startswith("error: params.yaml: train.softmax.")
    assert len(err.splitlines()) == 1
    status, _, err = call("check", "--debug")
    assert status == 2
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("error: params.yaml: train.softmax.")


def test_check_refuses_distortions_of_what_is_standardised_pixel_by_pixel(call, tmp_path):
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        text.replace("standardization: global", "standardization: per_pixel")
    )
    assert call("check") == (
        2,
        "",
        "error: params.yaml: normalize.standardization = 'per_pixel': allowed is 'global' where "
        "train.two_layer.distortion isn't null; what is standardised pixel by pixel can't be moved\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        *[("fetch",), ("normalize",), ("fit_regression",), ("check_gradients",), ("evaluate",)],
        *[("train", "softmax", "manual"), ("baseline", "ridge")],
    ],
)
def test_a_stage_is_run_by_its_launcher_with_its_arguments(call, monkeypatch, arguments):
    handed = []
    monkeypatch.setattr(stages, "main", handed.append)
    assert call(*arguments) == (0, "", "")
    assert call(*arguments, "--debug") == (0, "", "")
    assert handed == [[*arguments], [*arguments, "--debug"]]


def test_a_stage_run_by_hand_starts_only_where_the_whole_file_is_right(call, tmp_path):
    with (tmp_path / "params.yaml").open("a") as file:
        file.write("lerning_rate: 1\n")
    status, out, err = call("train", "softmax", "manual")
    assert (status, out) == (2, "")
    assert err.startswith("error: params.yaml: lerning_rate = 1: unknown key; allowed: seed, ")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_summary_before_the_pipeline_has_run_says_what_to_run(call):
    told = "error: results/evaluation.json: no such file; run `make repro` first\n"
    assert call("summary") == (2, "", told)


def test_summary_shows_every_run_the_best_first_and_what_to_do_next(call, tmp_path):
    evaluation = {
        run: {
            "fingerprint": 64 * "0",
            **{f"{split}/error": error for split in ("validation", "test")},
            **{f"{split}/error_low": error - 0.01 for split in ("validation", "test")},
            **{f"{split}/error_high": error + 0.01 for split in ("validation", "test")},
            **{f"{split}/accuracy": 1 - error for split in ("validation", "test")},
            "test/log_loss": 2 * error,
        }
        for run, error in (("softmax-manual", 0.075), ("two_layer-manual", 0.015), ("baseline-ridge", 0.145))
    }
    (tmp_path / "results").mkdir()
    (tmp_path / "results/evaluation.json").write_text(json.dumps(evaluation))
    status, out, err = call("summary")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    ranks = [next(i for i, line in enumerate(lines) if line.split()[:1] == [run]) for run in evaluation]
    assert ranks[1] < ranks[0] < ranks[2]
    assert "1.50%" in lines[ranks[1]]
    assert lines[ranks[1]].rstrip().endswith("0.0300")
    assert all(f"make {target}" in out for target in ("ui", "demo", "report", "reproduce"))


def test_ui_names_the_page_of_a_tracking_server_without_its_password(call, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://reviewer:secret@127.0.0.1:1/")
    status, out, _ = call("ui")
    assert status == 0
    page = "http://127.0.0.1:1/#/experiments?workflowType=machine_learning"
    assert out == f"MLflow UI: {page} (of the tracking server)\n"


@pytest.mark.parametrize("server", ["ui", "serve", "demo"])
def test_a_taken_port_is_named_with_another(call, server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = f"error: port {port}: is taken; name another: make {server} PORT={port + 1}\n"
        assert call(server, "--port", str(port)) == (2, "", told)


@pytest.mark.parametrize("server", ["demo", "team-server"])
def test_no_host_is_not_every_host(call, server, monkeypatch):
    monkeypatch.setenv("TEAM_SERVER_PASSWORD", "x" * 12)
    told = "error: host '': is empty; name an address of this machine\n"
    assert call(server, "--host", "") == (2, "", told)


def test_a_locked_store_is_one_line_of_the_ui_too(call, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        status, out, err = call("ui")
    assert (status, out) == (2, "")
    assert err.endswith("mlflow.db: another process holds it locked; try again when the store answers\n")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("server", ["ui", "team_server"])
def test_a_server_of_mlflows_is_started_without_importing_it_here(server):
    code = f"import sys, pipeline.commands.{server}; print({{'mlflow', 'sqlalchemy'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_nobody_expected_is_one_line_and_a_traceback_only_if_asked_for(call, monkeypatch):
    def broken(*arguments, **named):
        raise RuntimeError("a library\nfails")

    monkeypatch.setattr(stages, "main", broken)
    told = "error: RuntimeError: a library fails; with --debug it is shown where\n"
    assert call("evaluate") == (2, "", told)
    status, _, err = call("evaluate", "--debug")
    assert status == 2
    assert err.startswith("Traceback")
    assert err.endswith(told)


@pytest.mark.parametrize("server", ["ui", "serve"])
@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_what_is_no_port_is_refused(call, server, port):
    status, _, err = call(server, "--port", port)
    assert status == 2
    assert "--port" in err


def test_publish_without_any_run_says_what_brings_them(call):
    told = "error: results/runs: no runs; `dvc pull` or `make repro` brings them\n"
    assert call("publish") == (2, "", told)


def test_docs_before_the_pipeline_has_run_says_what_to_run(call, tmp_path):
    (tmp_path / "README.md").write_text("# A page\n")
    status, _, err = call("docs")
    assert (status, err) == (2, "error: results/comparison.md: no such file; run `make repro` first\n")
    assert (tmp_path / "README.md").read_text() == "# A page\n"


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        (
            "python -m pipeline summary > /dev/full",
            2,
            "error: output: No space left on device; make room there, then run it again\n",
        ),
        ("PYTHONIOENCODING=ascii python -m pipeline summary > /dev/null", 0, ""),
    ],
)
def test_where_output_cannot_go_is_one_line_and_what_it_cannot_show_no_reason_to_fail(how, status, told):
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        how,
        shell=True,
        cwd=REPOSITORY,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, told)
