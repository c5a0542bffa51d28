"""The shipped params.yaml as data, every place in it, and copies with one thing changed."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import params
from pipeline.errors import UserError
from pipeline.params.whole import Params

FILE = Path(__file__).parents[2] / "params.yaml"
DATA: dict[str, Any] = params.read(FILE)
SCHEMA = Params.model_json_schema()

Place = tuple[str | int, ...]


def places(data: Any = DATA, above: Place = ()) -> Iterator[Place]:
    """Yield the place of every section, list and value, the whole file first."""
    yield above
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield from places(value, (*above, key))


def at(place: Place, data: Any = DATA) -> Any:
    for key in place:
        data = data[key]
    return data


def described(place: Place) -> dict[str, Any]:
    """What the schema says of a field; of one that may be null, what it says of the number."""
    schema: dict[str, Any] = SCHEMA
    for key in place:
        schema = schema["items"] if isinstance(key, int) else schema["properties"][key]
        schema = next((each for each in schema.get("anyOf", []) if each.get("type") != "null"), schema)
        if "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


SECTIONS = [place for place in places() if isinstance(at(place), dict)]
LISTS = [place for place in places() if isinstance(at(place), list)]
# Sections that may be null, and are.
ABSENT = {("train", "softmax", "distortion")}
VALUES = [place for place in places() if not isinstance(at(place), dict | list) and place not in ABSENT]
KEYS = [place for place in places() if place and isinstance(place[-1], str)]
# As params.yaml says in its comments: these may be null.
NULLABLE = {
    ("normalize", "limit"),
    ("train", "softmax", "distortion"),
    ("train", "softmax", "initial_std"),
    ("train", "softmax", "window"),
    ("train", "two_layer", "distortion"),
    ("train", "two_layer", "initial_std"),
    ("train", "two_layer", "window"),
}


def dotted(place: Place) -> str:
    return ".".join(map(str, place))


def with_value(place: Place, value: Any, data: Any = DATA) -> Any:
    """The data with another value at a place."""
    if not place:
        return value
    changed = copy.deepcopy(data)
    at(place[:-1], changed)[place[-1]] = value
    return changed


def without(place: Place) -> Any:
    changed = copy.deepcopy(DATA)
    del at(place[:-1], changed)[place[-1]]
    return changed


def yaml(data: Any) -> str:
    """JSON, which is YAML too, but for the words of NaN and infinity."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {yaml(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(yaml, data)) + "]"
    words = {"NaN": ".nan", "Infinity": ".inf", "-Infinity": "-.inf"}
    text = json.dumps(data)
    return words.get(text, text)


def load(folder: Path, content: str | bytes | dict[str, Any]) -> Params:
    """Read a params.yaml of this content; of data, as if it had been parsed: that takes most of the time."""
    file = folder / "params.yaml"
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(content, dict):
            patch.setattr(params, "read", lambda _: content)
        else:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return params.load(Params, file=file)


def refusal(folder: Path, content: str | bytes | dict[str, Any]) -> str:
    """What the one line says, after the name of the file, that refuses this content."""
    with pytest.raises(UserError) as caught:
        load(folder, content)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.isprintable()  # nothing that could end the line or steer a terminal
    assert len(message) < 1000
    assert message.startswith(f"{folder / 'params.yaml'}:")
    return message.removeprefix(f"{folder / 'params.yaml'}:").strip()
