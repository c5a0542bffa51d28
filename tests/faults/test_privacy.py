"""What others on this machine could put before DVC, and whom the pipeline calls."""

import ipaddress
import re
import shutil
import stat
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.repositories import copy_of_the_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project as set up by make, except that this environment's programs run in it."""
    made = copy_of_the_project(tmp_path_factory.mktemp("privacy") / "répo sitory")
    venv.create(made.path / ".venv")
    set_up(made)
    return made


def set_up(project):
    """Run `make setup` without installing anything."""
    done = project.run("make", "--old-file", ".venv/.installed", "setup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def activated(project, command):
    """Run a shell's command in the environment that make set up; return what it says."""
    programs = Path(sys.executable).parent
    # MLflow and DVC call nobody while they are tested; here they shall not know.
    untested = "unset PYTEST_CURRENT_TEST CI DVC_NO_ANALYTICS"
    done = project.run("sh", "-c", f'. .venv/bin/activate; {untested}; PATH="{programs}:$PATH"; {command}')
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.fault("Nobody in", "another user puts a pickle where DVC keeps what it remembers of files")
def test_what_dvc_unpickles_is_in_a_folder_for_this_user_alone(project, happened):
    site_cache = project.path / ".dvc/site-cache"
    assert f"Repo.site_cache_dir: {site_cache}/repo/" in activated(
        project, "dvc repro check_params; dvc doctor"
    )
    assert list(site_cache.rglob("cache.db"))
    assert stat.S_IMODE(site_cache.stat().st_mode) == 0o700
    site_cache.chmod(0o777)
    set_up(project)
    assert stat.S_IMODE(site_cache.stat().st_mode) == 0o700
    assert project.git("status", "--porcelain", ".dvc") == ""
    happened("it is in .dvc/site-cache, which has mode 0700")


@pytest.fixture(scope="module")
def strace():
    """The command that notes every connect() of a command and all that it starts, where that is allowed."""
    found = shutil.which("strace")
    if not found or subprocess.run([found, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace is missing or not allowed: apt-get install strace")
    return f"{found} --follow-forks --seccomp-bpf --trace=connect --output"


def called(log):
    """The addresses on other machines that a log of strace has a connect() to."""
    text = log.read_text()
    assert "connect(" in text
    found = re.findall(r'connect\(.*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"', text)
    return {address for address in found if not ipaddress.ip_address(address).is_loopback}


@pytest.mark.slow
@pytest.mark.fault("Nobody in", "a library calls its makers, to count users or look for news")
def test_to_train_and_publish_calls_nobody(project, strace, happened):
    log = project.path / "calls"
    work = "dvc repro exercise@quadratic && python -m pipeline publish"
    said = activated(project, f"{strace} '{log}' sh -c '{work}'")
    assert "publish: 0 runs added, 2 already there" in said
    assert called(log) == set()
    connects = log.read_text().count("connect(")
    call = 'import socket; socket.socket(type=socket.SOCK_DGRAM).connect(("192.0.2.1", 9))'
    activated(project, f"{strace} '{log}' python -c '{call}'")
    assert called(log) == {"192.0.2.1"}  # so it would have been seen
    happened(f"of {connects} calls of connect() none to another machine, by DVC, a stage, and MLflow")
