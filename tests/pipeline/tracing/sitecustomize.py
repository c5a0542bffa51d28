"""Put on PYTHONPATH, this notes what a stage really imports, opens and reads of params.yaml.

Python runs it at the start of every process; at the end the notes go to $GRADLINE_TRACE/<stage>.json.
"""

import atexit
import json
import os
import sys
from pathlib import Path

ROOT = Path.cwd()
opened: set[str] = set()
parameters: set[str] = set()


def inside(path: object) -> str | None:
    """Return the path relative to the repository, or None for one outside it."""
    if not isinstance(path, (str, os.PathLike)):
        return None
    resolved = ROOT / os.fspath(path)  # type: ignore[arg-type]
    return resolved.relative_to(ROOT).as_posix() if resolved.is_relative_to(ROOT) else None


def note(event: str, arguments: tuple[object, ...]) -> None:
    """Hear of every file opened for reading, and of every parameter read."""
    if event == "gradline.params.read":
        parameters.add(str(arguments[0]))
    elif event == "open":
        path, mode, flags = arguments
        reads = "r" in mode if isinstance(mode, str) else not int(str(flags)) & (os.O_WRONLY | os.O_RDWR)
        name = inside(path)
        if reads and name is not None:
            opened.add(name)


def write() -> None:
    """Leave the notes."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    modules = {name for name in map(inside, files) if name and name.startswith("pipeline/")}
    notes = {"modules": sorted(modules), "opened": sorted(opened), "parameters": sorted(parameters)}
    target = Path(os.environ["GRADLINE_TRACE"]) / f"{os.environ['DVC_STAGE']}.json"
    target.write_text(json.dumps(notes, indent=1))


if "GRADLINE_TRACE" in os.environ and "DVC_STAGE" in os.environ:
    sys.addaudithook(note)
    atexit.register(write)
