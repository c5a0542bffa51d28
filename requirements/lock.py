"""Write runtime.txt and development.txt anew: the newest releases that pyproject.toml's ranges admit.

Run by `make lock`. Both are what pip chose in an empty environment, by exact version.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).parent
HEADER = "# Written by `make lock` from pyproject.toml; set-up installs exactly these.\n"


def main() -> None:
    """Resolve the run-time dependencies, then the development ones on top of them."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        runtime = install(python, project["project"]["dependencies"])
        development = install(python, project["dependency-groups"]["dev"])
    (HERE / "runtime.txt").write_text(HEADER + "".join(f"{pin}\n" for pin in runtime))
    markers = dict(marked(requirement) for requirement in project["dependency-groups"]["dev"])
    extra = [f"{pin}{markers.get(pin.split('==')[0], '')}" for pin in development if pin not in runtime]
    (HERE / "development.txt").write_text(HEADER + "-r runtime.txt\n" + "".join(f"{pin}\n" for pin in extra))


def marked(requirement: str) -> tuple[str, str]:
    """Return the name of a requirement, and from the `;` on for which platforms it is meant."""
    name = re.split(r"[^\w.-]", requirement)[0]
    return name, requirement[requirement.find(";") :] if ";" in requirement else ""


def install(python: Path, requirements: list[str]) -> list[str]:
    """Install, and return every version that is there now."""
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    frozen = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True)
    # A local label, as in +cpu, says how a release was built here; no index has it under that name.
    return [line.split("+")[0] for line in frozen.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
