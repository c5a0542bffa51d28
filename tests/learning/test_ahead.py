"""Items made ahead: the same ones in the same order, in another thread, no more than were asked for."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.learning.ahead import ahead


@given(st.lists(st.integers()), st.integers(1, 5))
def test_the_items_come_unchanged_and_in_order(items, depth) -> None:
    assert list(ahead(iter(items), depth)) == items


def test_they_are_made_in_a_thread_of_their_own() -> None:
    threads = set(ahead(threading.get_ident() for _ in range(5)))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_the_next_ones_are_made_while_one_is_used_but_no_more_than_the_depth() -> None:
    made = [threading.Event() for _ in range(6)]

    def items():
        for index, event in enumerate(made):
            event.set()
            yield index

    coming = ahead(items(), depth=2)
    assert next(coming) == 0
    assert made[2].wait(10)  # asked for when 0 was handed over
    assert not made[4].is_set()
    coming.close()
    assert not made[5].is_set()


def test_an_exception_comes_in_the_place_of_its_item() -> None:
    def items():
        yield 1
        raise ValueError("no second")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="no second"):
        next(coming)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    coming = ahead(iter(range(100)))
    next(coming)
    coming.close()
    assert threading.active_count() == before
