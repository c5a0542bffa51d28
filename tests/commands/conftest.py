"""How the tests run a command: in this process, with what it says and its status."""

import sys

import pytest

from pipeline.commands import app


@pytest.fixture
def run_command(monkeypatch, capsys):
    """Run the command line with these arguments; return status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
        status = 0
        try:
            app.main()
        except SystemExit as end:
            status = end.code or 0
        return status, *capsys.readouterr()

    return run
