"""The timeline: what a number stands for, what is forgotten, and its bound."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from autograd_lab.backward import timeline
from autograd_lab.backward.timeline import UNKNOWN, Called, State, Timeline


def state(number):
    return State(None, Called("f", number, None, ()))


def test_a_number_is_in_the_last_state_that_was_noted_before_it():
    line = Timeline(3)
    for begin in (5, 8):
        line.note(begin, state(begin))
    assert [line.at(number) for number in (2, 3, 4)] == [UNKNOWN] * 3
    assert [line.at(number) for number in (5, 7, 8, 99)] == [state(5), state(5), state(8), state(8)]


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=12),
    st.lists(st.sets(st.integers(0, 40)), max_size=4),
    st.integers(0, 12),
)
def test_only_what_was_freed_whole_is_forgotten(lengths, graphs, before):
    line, begins = Timeline(0), [0]
    for length in lengths:
        begins.append(begins[-1] + length)
        line.note(begins[-1], state(begins[-1]))
    known = {number: line.at(number) for number in range(50)}
    for freed in graphs:
        line.forget(freed)
        for begin, end in itertools.pairwise(begins):
            if set(range(begin, end)) <= freed:
                known.update(dict.fromkeys(range(begin, end), UNKNOWN))
    line.forget(before=before)
    for begin, end in itertools.pairwise(begins):
        if end <= before:
            known.update(dict.fromkeys(range(begin, end), UNKNOWN))
    assert {number: line.at(number) for number in range(50)} == known
    assert len(line) <= len(begins) + 2


def test_forgetting_again_and_again_leaves_nothing():
    line = Timeline(0)
    for step in range(1000):
        line.note(2 * step + 1, state(step))
        line.note(2 * step + 2, UNKNOWN)
        line.forget({2 * step + 1})
    assert len(line) < 5


def test_the_older_half_goes_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(timeline, "KEPT", 10)
    line, longest = Timeline(0), 0
    for begin in range(1, 1000):
        line.note(begin, state(begin))
        longest = max(longest, len(line))
        assert [line.at(number) for number in range(max(begin - 9, 1), begin + 1)] == [
            state(number) for number in range(max(begin - 9, 1), begin + 1)
        ]
    assert longest <= 20
    assert line.at(1) is UNKNOWN


@pytest.mark.parametrize("number", [0, 3])
def test_a_new_thread_with_the_identity_of_an_old_one_begins_anew(number):
    line = Timeline(5)
    line.note(7, state(7))
    line.note(number, state(number))
    assert line.at(7) == state(number)
    assert line.at(number - 1) is UNKNOWN
