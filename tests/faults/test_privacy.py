"""What others on this machine could put before DVC, and whom the pipeline calls."""

import stat
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
    done = project.run("sh", "-c", f'. .venv/bin/activate; PATH="{programs}:$PATH"; {command}')
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
