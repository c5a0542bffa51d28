"""Every field of the shipped params.yaml, found by walking it: what it takes and what it refuses."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import params
from pipeline.errors import UserError
from pipeline.params.whole import Params
from tests.params.shipped import (
    ABSENT,
    DATA,
    FILE,
    KEYS,
    LISTS,
    NULLABLE,
    SECTIONS,
    VALUES,
    Place,
    at,
    described,
    dotted,
    load,
    refusal,
    with_value,
    without,
    yaml,
)

NUMBERS = [
    place
    for place in VALUES
    if place in NULLABLE or (isinstance(at(place), int | float) and not isinstance(at(place), bool))
]
STRINGS = [place for place in VALUES if isinstance(at(place), str)]
WHOLE = [place for place in NUMBERS if described(place)["type"] == "integer"]
SWITCHES = [place for place in VALUES if isinstance(at(place), bool)]
# Drawing from it is quick, and so every example is read from a file as a user's would be.
fuzz = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def parameters(places: list[Place]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("place", places, ids=[dotted(place) or "the file" for place in places])


def shown(value: Any) -> str:
    """How the message shows a value: as Python does, and cut where it is long."""
    return repr(value)[:12]


def refuses(folder: Path, place: Place, value: Any) -> None:
    """Hold the refusal to its promise: the dotted key, the value, and what is allowed."""
    message = refusal(folder, with_value(place, value))
    assert message.startswith(f"{dotted(place)} = {shown(value)}")
    assert message.rpartition(": allowed is ")[2]


def test_the_shipped_file_is_valid_and_read_as_it_stands() -> None:
    assert params.load(Params, file=FILE).model_dump() == DATA


def test_the_walk_finds_fields_of_every_kind() -> None:
    assert len(VALUES) > 50
    assert set(NUMBERS) | set(STRINGS) | set(SWITCHES) == set(VALUES)
    assert (len(SECTIONS), len(LISTS)) == (26, 3)  # counted in params.yaml


@parameters(VALUES)
def test_a_value_of_another_type_is_refused(place: Place, tmp_path: Path) -> None:
    for value in ([], {}, [at(place)], {"a": 1}, None, True, 1, 1.5, "1", "", "no", "2020-01-01"):
        fits = (
            (value is None and place in NULLABLE)
            or (isinstance(value, bool) and place in SWITCHES)
            or (type(value) in (int, float) and place in NUMBERS and (value == 1 or place not in WHOLE))
            or (isinstance(value, str) and value and place[:2] == ("fetch", "sources"))
        )
        if not fits:
            refuses(tmp_path, place, value)


@parameters(NUMBERS)
def test_a_number_that_is_none_negative_or_huge_is_refused(place: Place, tmp_path: Path) -> None:
    for value in (math.nan, math.inf, -math.inf, -1, -1e-300, 10**13, 10**400, 1e300):
        refuses(tmp_path, place, value)


@parameters(STRINGS)
def test_text_that_is_empty_or_has_control_characters_is_refused(place: Place, tmp_path: Path) -> None:
    for value in ("", "\0", f"{at(place)}\n", f"{at(place)}\x1b[31m", "x" * 10_000):
        refuses(tmp_path, place, value)


@parameters(SECTIONS + LISTS)
def test_something_else_in_place_of_a_section_or_list_is_refused(place: Place, tmp_path: Path) -> None:
    for value in (None, 1, "text", [[]] if isinstance(at(place), dict) else {}):
        if value is None and place in NULLABLE:
            continue
        if place:
            message = refusal(tmp_path, with_value(place, value))
            assert message.startswith(dotted(place))
            assert shown(value) in message
            assert ": allowed is " in message
        else:
            assert refusal(tmp_path, yaml(value)) == f"expected sections, found {value!r}"


def test_a_null_section_takes_the_keys_of_a_section_and_nothing_else(tmp_path: Path) -> None:
    [place] = ABSENT
    filled = at(("train", "two_layer", "distortion"))
    file = tmp_path / "params.yaml"
    file.write_text(yaml(with_value(place, filled)))
    assert at(place, params.load(Params, file=file).model_dump()) == filled
    for value in (1, True, "affine", [1]):
        refuses(tmp_path, place, value)
    wrong = refusal(tmp_path, with_value(place, {**filled, "rotation": -1}))
    assert wrong.startswith("train.softmax.distortion.rotation = -1: allowed is ")


@parameters(LISTS)
def test_a_list_of_any_length_beyond_its_most_is_refused(place: Place, tmp_path: Path) -> None:
    refuses(tmp_path, place, at(place) * 1000)


@parameters(SECTIONS)
def test_an_unknown_key_is_refused_at_every_level_and_the_known_ones_are_listed(
    place: Place, tmp_path: Path
) -> None:
    changed = with_value((*place, "lerning_rate"), 1)
    message = refusal(tmp_path, changed)
    start, _, allowed = message.partition(": unknown key; allowed: ")
    assert start == f"{dotted((*place, 'lerning_rate'))} = 1"
    assert set(allowed.split(", ")) == set(at(place))


@parameters(KEYS)
def test_a_missing_key_is_named(place: Place, tmp_path: Path) -> None:
    assert refusal(tmp_path, without(place)) == f"{dotted(place)}: is missing"


@parameters(KEYS)
def test_a_key_that_stands_twice_is_refused_by_its_line(place: Place, tmp_path: Path) -> None:
    section = at(place[:-1])
    content = yaml(section)[:-1] + f',\n"{place[-1]}": {yaml(section[place[-1]])}}}'
    for key in reversed(place[:-1]):
        content = f'{{"{key}": {content}}}' if isinstance(key, str) else f"[{content}]"
    assert refusal(tmp_path, content).startswith(f'2:1: found duplicate key "{place[-1]}"')


@fuzz
@given(place=st.sampled_from(VALUES + LISTS), value=anything)
def test_any_value_is_taken_exactly_as_it_stands_or_refused_in_one_line(
    place: Place, value: Any, tmp_path: Path
) -> None:
    content = yaml(with_value(place, value))
    try:
        taken = at(place, load(tmp_path, content).model_dump())
    except UserError:
        assert refusal(tmp_path, content).startswith(dotted(place))
    else:
        assert taken == value
        assert isinstance(value, bool) == isinstance(taken, bool)


@fuzz
@given(content=st.text(max_size=60) | st.binary(max_size=60), after=st.booleans())
def test_any_file_is_refused_in_one_line_or_taken_as_it_was(
    content: str | bytes, after: bool, tmp_path: Path
) -> None:
    added = content.encode() if isinstance(content, str) else content
    whole = FILE.read_bytes() + b"\n" + added if after else added
    try:
        taken = load(tmp_path, whole).model_dump()
    except UserError:
        refusal(tmp_path, whole)
    else:
        assert taken == DATA
