"""Which backwards are traced, compared with what Python's lists hold."""

from __future__ import annotations

from hypothesis import given, strategies as st

from autograd_lab.chosen import Chosen

BOUNDS = st.none() | st.integers(-12, 12)
SLICES = st.builds(slice, BOUNDS, BOUNDS, st.none() | st.integers(1, 5))
ONES = st.integers(-12, 12).map(lambda number: slice(number, number + 1 or None))
CHOSEN = st.lists(SLICES | ONES, min_size=1, max_size=3).map(lambda parts: Chosen(tuple(parts)))


@given(CHOSEN, st.integers(0, 25))
def test_those_that_a_list_would_hold(chosen, count):
    wanted = {number for part in chosen.parts for number in list(range(count))[part]}
    assert {number for number in range(count) if chosen.holds(number, count)} == wanted


@given(CHOSEN, st.integers(0, 25))
def test_none_of_them_is_missed_while_their_number_is_unknown(chosen, count):
    kept: list[int] = []
    for number in range(count):
        if chosen.may_hold(number, number + 1):
            kept.append(number)
        kept = [each for each in kept if chosen.may_hold(each, number + 1)]
    assert {number for number in kept if chosen.holds(number, count)} == {
        number for number in range(count) if chosen.holds(number, count)
    }
    if not chosen.counts_from_the_end:
        assert all(chosen.holds(number, count) for number in kept)


@given(CHOSEN, st.integers(0, 15), st.integers(0, 10))
def test_nothing_comes_when_it_is_over(chosen, count, more):
    if chosen.is_over(count):
        assert not any(chosen.holds(number, count + more) for number in range(count, count + more))


def test_it_is_over_as_soon_as_nothing_can_come():
    assert [Chosen.of(1, 2, 100).is_over(count) for count in (101, 102)] == [False, True]
    assert not Chosen((slice(None),)).is_over(99)


def test_the_last_ones_are_all_that_is_kept():
    chosen = Chosen((slice(-2, None),))
    assert [number for number in range(9) if chosen.may_hold(number, 9)] == [7, 8]


@given(st.integers(0, 5), st.none() | st.integers(0, 3), st.integers(1, 4))
def test_so_many_of_every_so_many(skip, limit, every):
    chosen = Chosen.of(skip, limit, every)
    assert [number for number in range(30) if chosen.holds(number, 30)] == list(range(skip, 30, every))[
        :limit
    ]


def test_as_text():
    assert str(
        Chosen((slice(0, 1), slice(-1, None), slice(-3, -2), slice(3, 9, 1), slice(None, None, 7)))
    ) == ("0,-1,-3,3:9,::7")
