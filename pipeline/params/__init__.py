"""params.yaml as typed, validated objects: one module a section, and nothing else reads that file."""

import reprlib
import sys
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from pipeline.errors import UserError, printable


class Section(BaseModel):
    """A section of params.yaml: no unknown keys, no conversion of types, no NaN, no change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)

# The audit event of every parameter read: a test holds dvc.yaml against what stages really read.
READ = "gradline.params.read"

# Shows a value in a message: nested aliases make it endless where it is short in the file.
_brief = reprlib.Repr()
_brief.maxlevel = 2


def path() -> Path:
    """Return where the parameters stand: params.yaml in the working directory."""
    return Path("params.yaml")


def read(file: Path | None = None) -> dict[str, Any]:
    """Return the file as plain data: YAML 1.2 as DVC reads it, so 1e-3 is a number."""
    file = file or path()
    if file.exists() and not file.is_file():  # a pipe would be waited for
        raise UserError(f"{file}: is no file; move it away, and `git checkout HEAD -- {file}` brings it back")
    try:
        data = _yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; run in the folder that holds it") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: is not UTF-8 text") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise UserError(f"{where}: {printable(str(error.problem))}") from None
    except Exception as error:  # whatever a parser stumbles over, it is the file that is wrong
        raise UserError(f"{file}: is no YAML ({type(error).__name__}: {printable(str(error))})") from None
    if not isinstance(data, dict):
        raise UserError(f"{file}: expected sections, found {_shown(data)}")
    return data


def value(text: str) -> Any:
    """Return what a value typed on the command line would be in the file; UserError where it is no YAML."""
    try:
        return _yaml(text)
    except Exception:  # whatever a parser stumbles over, it is the text that is wrong
        raise UserError(f"{_shown(text)}: is no value; write it as in params.yaml") from None


def _yaml(text: str) -> Any:
    return deepcopy(_parsed(text))


@lru_cache(maxsize=1)  # a stage reads several sections, and to parse the file takes longer than to copy it
def _parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def load(section: type[S], name: str = "", file: Path | None = None) -> S:
    """Return the section of this dotted name, validated; without a name the whole file.

    Raises UserError, one line: the key, its value and what is allowed.
    """
    file = file or path()
    data = _find(read(file), name, file)
    sys.audit(READ, name)
    return _validate(section, data, name, file)


def load_fields(section: type[S], name: str = "", file: Path | None = None) -> S:
    """Return only those keys of a section of the file that `section` has; without a name, of the top level.

    Raises UserError like `load`.
    """
    file = file or path()
    data = _find(read(file), name, file)
    for key in section.model_fields:
        sys.audit(READ, f"{name}.{key}" if name else key)
    return _validate(section, {key: data[key] for key in section.model_fields if key in data}, name, file)


def changed(settings: S, changes: dict[str, Any], where: str) -> S:
    """Return a section with other values for some keys, validated; UserError names `where` they came from."""
    return _validate(type(settings), {**settings.model_dump(), **changes}, "", Path(where))


def _find(data: Any, name: str, file: Path) -> Any:
    for key in name.split(".") if name else []:
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        raise UserError(f"{file}: {name}: is missing or no section")
    return data


def _validate(section: type[S], data: Any, name: str, file: Path) -> S:
    try:
        return section.model_validate(data)
    except ValidationError as error:
        _refuse(section, error, name, file)


def _refuse(section: type[Section], error: ValidationError, name: str, file: Path) -> NoReturn:
    first, *others = error.errors(include_url=False)
    if first["type"] == "missing":
        # A misspelled key is missing under its right name, and unknown as it stands in the file.
        first = next((each for each in others if each["type"] == "extra_forbidden"), first)
    keys = [str(part) for part in first["loc"]]
    where = printable(".".join([name, *keys] if name else keys)) or "the file"
    if first["type"] == "missing":
        raise UserError(f"{file}: {where}: is missing")
    wrong = f"{file}: {where} = {_shown(first['input'])}"
    if first["type"] == "extra_forbidden":
        raise UserError(f"{wrong}: unknown key; allowed: {', '.join(_siblings(section, keys))}")
    if first["type"] == "model_type":
        allowed = f"a section of the keys {', '.join(_siblings(section, [*keys, '']))}"
    else:
        allowed = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    raise UserError(f"{wrong}: allowed is {allowed}")


def _siblings(section: type[Section], keys: list[str]) -> list[str]:
    """Return the keys that the section of the last key has."""
    for key in keys[:-1]:
        inner = section.model_fields[key].annotation
        for each in get_args(inner) or (inner,):  # a section that may be null is a union
            if isinstance(each, type) and issubclass(each, Section):
                section = each
    return list(section.model_fields)


def _shown(value: Any) -> str:
    """Return the value on one line, cut where it is long or deep."""
    return printable(_brief.repr(value))
