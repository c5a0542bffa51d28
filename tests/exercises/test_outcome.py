"""Claims: where a number must lie, and what is said when it doesn't."""

import math

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.exercises.outcome import (
    Outcome,
    at_least,
    at_most,
    is_true,
    plain,
    published,
    require,
    traces,
    without_traces,
)


def outcome(*claims, **results):
    nothing = np.zeros(0)
    return Outcome("softmax", "manual", nothing, nothing, [{"iteration": 0}], results, list(claims), {}, [])


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (at_most("a", 1.0, 1.0), True),
        (at_most("a", math.nextafter(1, 2), 1.0), False),
        (at_least("a", 1.0, 1.0), True),
        (at_least("a", math.nextafter(1, 0), 1.0), False),
        (is_true("a", np.True_), True),
        (is_true("a", False), False),
        (published("a", 0.4949, 0.49, 0.005), True),
        (published("a", 0.4951, 0.49, 0.005), False),
        (published("a", 0.4849, 0.49, 0.005), False),
    ],
)
def test_a_claim_holds_where_its_number_lies_within(claim, holds):
    assert claim.holds is holds


@pytest.mark.parametrize("claim", [at_most("a", np.nan, 1.0), at_least("a", np.nan, 0.0)])
def test_no_claim_holds_for_what_is_no_number(claim):
    assert not claim.holds


def test_a_claim_says_what_is_allowed_and_what_was_found():
    claims = (at_most("a", 0.25, 1e-12), at_least("a", 0.25, 0.97), published("a", 0.25, 1.096919, 5e-7))
    assert [claim.allowed for claim in claims] == ["at most 1e-12", "at least 0.97", "1.0969185 to 1.0969195"]
    assert claims[0].found == "0.25"
    assert published("a", 1 / 3, 1.0, 0.1).found == "0.333333333"
    assert (is_true("a", True).found, is_true("a", 0).found, is_true("a", 0).allowed) == ("yes", "no", "yes")


def test_what_fails_is_named_in_one_line_with_what_was_found_and_what_is_allowed():
    require("spiral", "asked", outcome(at_most("fine", 0.0, 1.0)))
    with pytest.raises(UserError) as error:
        require("spiral", "asked", outcome(at_most("fine", 0, 1), at_most("N", 2, 1), is_true("so", 0)))
    said = str(error.value)
    assert said.startswith("exercise spiral, as asked: N: found 2, allowed is at most 1 (and 1 more)")
    assert "\n" not in said


def test_every_trace_is_found_and_can_be_left_out():
    other = [{"iteration": 0, "loss": 2.0}]
    left = outcome(accuracy=0.5, network={"accuracy": 0.98, "trace": other})
    assert dict(traces(left)) == {"": [{"iteration": 0}], "network": other}
    assert without_traces(left.results) == {"accuracy": 0.5, "network": {"accuracy": 0.98}}


def test_numbers_of_numpy_become_plain_ones():
    mixed = {"a": np.float32(0.5), "b": [np.arange(2), (np.int64(3),)], "c": {"d": np.True_}, "e": None}
    assert plain(mixed) == {"a": 0.5, "b": [[0, 1], [3]], "c": {"d": True}, "e": None}
