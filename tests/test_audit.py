"""`make audit` says what it could ask for, and never takes no answer for a good one."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[1] / "requirements/audit.py"
SOUND = {"name": "numpy", "version": "2.4.6", "vulns": []}
HOLE = {"name": "pip", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch"}


@pytest.fixture
def audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        ([SOUND], 0, "audit: 0 known holes in 1 of 1 pinned versions\n"),
        ([SOUND, HOLE], 1, "pip 1.0: CVE-1, mended in 1.1\naudit: 1 known holes in 2 of 2 pinned versions\n"),
        ([SOUND, SKIPPED], 2, "audit: 0 known holes in 1 of 2 pinned versions\n"),
        ([SKIPPED], 2, "audit: 0 known holes in 0 of 1 pinned versions\n"),
    ],
)
def test_what_nobody_answers_for_is_not_taken_for_sound(
    found: list[dict[str, Any]], status: int, said: str, audit: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.report(found) == status
    out, err = capsys.readouterr()
    assert out == said
    assert err == ("error: audit: nobody answers for 1 of them: torch\n" if SKIPPED in found else "")
