"""dvc.lock: the stages that ran, with the files that each read and left, by hash."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import printable

PATH = Path("dvc.lock")


class File(BaseModel):
    """A file or directory, with the hash that DVC knows it by: of what is stored here, always an MD5."""

    path: str
    md5: str


class Stage(BaseModel):
    """What a stage read and what it left."""

    deps: list[File] = []
    outs: list[File] = []


class _LockFile(BaseModel):
    stages: dict[str, Stage]


@lru_cache(maxsize=2)  # the one on disk and one to compare with, each read for many runs
def stages(content: bytes) -> Mapping[str, Stage]:
    """Return the stages in the bytes of a dvc.lock, by name; ValueError says in one line why it is none."""
    try:
        # The parser in Python: the one in C crashes where brackets are nested deeply.
        return _LockFile.model_validate(YAML(typ="safe", pure=True).load(content)).stages
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise ValueError(printable(f"{where}: {first['msg']}")) from error
    except (YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(printable(str(error))) from error
