"""Every number of params.yaml has a least and a greatest value: those pass, what lies beyond is refused."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.params.shipped import VALUES, Place, at, described, dotted, load, refusal, with_value

# What one number may be depends on another: given here so that the whole range is there to try.
ROOM: dict[Place, tuple[Place, Any]] = {
    ("normalize", "limit"): (("normalize", "validation"), 10),
    ("regression", "polynomial", "points"): (("regression", "polynomial", "degree"), 1),
    ("regression", "polynomial", "degree"): (("regression", "polynomial", "points"), 1000),
}


NUMBERS = [place for place in VALUES if described(place)["type"] in ("integer", "number")]


def beside(number: float, towards: float, place: Place) -> float:
    """The next number that a field's type can hold."""
    if described(place)["type"] == "integer":
        return int(number) + (1 if towards > 0 else -1)
    return math.nextafter(number, towards)


def least_and_greatest(place: Place) -> tuple[float, float]:
    """The bounds of a field, both inclusive. A field without both is a fault: KeyError."""
    schema = described(place)
    low = schema["minimum"] if "minimum" in schema else beside(schema["exclusiveMinimum"], math.inf, place)
    high = schema["maximum"] if "maximum" in schema else beside(schema["exclusiveMaximum"], -math.inf, place)
    return low, high


def content(place: Place, value: float) -> dict[str, Any]:
    other, room = ROOM.get(place, ((), None))
    data = with_value(place, value)
    return with_value(other, room, data) if other else data


@pytest.mark.parametrize("place", NUMBERS, ids=dotted)
def test_the_least_and_the_greatest_pass_and_their_neighbours_beyond_are_refused(
    place: Place, tmp_path: Path
) -> None:
    low, high = least_and_greatest(place)
    for value in (low, high):
        assert at(place, load(tmp_path, content(place, value)).model_dump()) == value
    for value in (beside(low, -math.inf, place), beside(high, math.inf, place)):
        message = refusal(tmp_path, content(place, value))
        assert message.startswith(f"{dotted(place)} = {value!r}: allowed is ")
        assert any(character.isdigit() for character in message.rpartition("allowed is ")[2])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(NUMBERS), data=st.data())
def test_every_number_between_them_passes_unchanged(
    place: Place, data: st.DataObject, tmp_path: Path
) -> None:
    low, high = least_and_greatest(place)
    whole = described(place)["type"] == "integer"
    value = data.draw(st.integers(int(low), int(high)) if whole else st.floats(low, high))
    # The middle of the range of `limit` and `validation` is held against each other: see below.
    if place == ("normalize", "validation"):
        value = min(value, 59_999)
    taken = at(place, load(tmp_path, content(place, value)).model_dump())
    assert (taken, type(taken)) == (value, int if whole else float)


@pytest.mark.parametrize("limit", [100, 9_999, 10_000])
def test_a_validation_part_as_large_as_all_there_is_is_refused(limit: int, tmp_path: Path) -> None:
    message = refusal(tmp_path, with_value(("normalize", "limit"), limit))
    allowed = "null or more than the 10000 images of `validation`"
    assert message == f"normalize.limit = {limit}: allowed is {allowed}"


def test_points_that_do_not_determine_the_polynomial_are_refused(tmp_path: Path) -> None:
    place = ("regression", "polynomial")
    message = refusal(tmp_path, with_value(place, {"points": 3, "degree": 3}))
    assert message == "regression.polynomial.degree = 3: allowed is less than the 3 `points`"


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:12"])
def test_a_device_is_the_cpu_or_a_numbered_one_of_cuda(device: str, tmp_path: Path) -> None:
    place = ("train", "two_layer", "device")
    assert at(place, load(tmp_path, with_value(place, device)).model_dump()) == device
    for wrong in (f"{device} ", f" {device}", device.upper(), f"{device}:", "gpu", "cuda:-1"):
        assert refusal(tmp_path, with_value(place, wrong)).startswith(f"{dotted(place)} = {wrong!r}")
