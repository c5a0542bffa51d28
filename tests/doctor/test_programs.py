"""Which libraries are installed otherwise than the lock file has them."""

from importlib import metadata
from pathlib import Path

import pytest

from pipeline.doctor import programs

NUMPY = metadata.version("numpy")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    programs.LOCKED.parent.mkdir()
    return programs.LOCKED


def test_what_is_installed_as_it_is_locked_is_not_named(lock: Path) -> None:
    lock.write_text(f'# A comment\nnumpy=={NUMPY} ; python_version >= "3.11"\n')
    assert list(programs.libraries()) == []


def test_a_local_part_says_how_it_was_built_and_not_what_it_is(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")
    lock.write_text("torch==2.13.0\n")
    assert list(programs.other_versions(lock)) == []


def test_another_version_and_a_library_that_is_missing_are_named_with_the_remedy(lock: Path) -> None:
    lock.write_text("numpy==1.0\nno-such-library==3\n")
    assert list(programs.libraries()) == [
        f"numpy: version {NUMPY} is installed, requirements/runtime.txt has 1.0; `make setup`",
        "no-such-library: is not installed, requirements/runtime.txt has 3; `make setup`",
    ]


def test_a_lock_file_that_is_missing_is_named_with_the_remedy(lock: Path) -> None:
    assert list(programs.libraries()) == [f"{lock}: is missing; `git checkout {lock}`"]
