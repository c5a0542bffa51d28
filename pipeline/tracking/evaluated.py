"""What the evaluation found, by run. Imports no MLflow."""

import json
import re
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.tracking import run_directory


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Return results/evaluation.json: by run, its metrics and the `fingerprint` that they belong to.

    Raises UserError where the file is damaged.
    """
    try:
        evaluated = json.loads(path.read_text(encoding="utf-8"))
        for result in evaluated.values():
            if not re.fullmatch("[0-9a-f]{64}", result["fingerprint"]):
                raise ValueError("a fingerprint is no SHA-256")
        if not evaluated:
            raise ValueError("it holds no run")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; run `dvc repro evaluate`") from error
    except run_directory.DAMAGES as error:
        raise UserError(f"{path}: is damaged ({error!r}); run `dvc repro --force evaluate`") from error
    return dict(evaluated)
