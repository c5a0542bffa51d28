"""Ask for known holes in what the lock files pin. Run by `make audit`; takes a network.

pip-audit and what it needs are installed into an environment of their own for the while: they are no part
of what they judge.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOCKS = ("runtime.txt", "development.txt")
AUDITOR = "pip-audit>=2.9"
# What pip-audit and pip say where they reach nobody.
UNREACHED = ("ConnectionError", "Connection", "timed out", "Max retries", "No matching distribution")


def main() -> int:
    """Print what is known; return 0 where nothing is, 1 where there are holes, 2 where nobody answers."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", AUDITOR]
        if (done := _call(install)).returncode:
            return _unreached(done)
        locks = [part for name in LOCKS for part in ("--requirement", str(HERE / name))]
        # Every version is pinned: there is nothing to resolve, and so nothing to install.
        options = ["--disable-pip", "--no-deps", "--progress-spinner=off", "--format=json"]
        done = _call([python, "-m", "pip_audit", *options, *locks])
    if done.returncode and any(word in done.stderr for word in UNREACHED):
        return _unreached(done)
    try:
        return report(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError, TypeError):
        print(done.stdout + done.stderr, end="", file=sys.stderr)
        return done.returncode or 2


def report(dependencies: list[dict[str, Any]]) -> int:
    """Print what pip-audit found of each; 2 where it could ask for some of them, or all, in vain."""
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    holes = 0
    for each in dependencies:
        for hole in each.get("vulns", ()):
            fixed = ", ".join(hole.get("fix_versions", ())) or "no version yet"
            print(f"{each['name']} {each['version']}: {hole['id']}, mended in {fixed}")
            holes += 1
    asked = len(dependencies) - len(skipped)
    print(f"audit: {holes} known holes in {asked} of {len(dependencies)} pinned versions")
    if skipped:
        named = f"{', '.join(skipped[:3])}{' …' if len(skipped) > 3 else ''}"
        print(f"error: audit: nobody answers for {len(skipped)} of them: {named}", file=sys.stderr)
    return 1 if holes else 2 if skipped else 0


def _call(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _unreached(done: "subprocess.CompletedProcess[str]") -> int:
    line = (done.stderr.strip().splitlines() or ["no answer"])[-1]
    print(
        f"error: audit: the advisories can't be reached; try again with a network ({line[:200]})",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
