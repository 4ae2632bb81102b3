"""Texts by number, and numbers as a script can hold them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from autograd_lab.draw.page.strings import Strings, cut, plain


@given(st.lists(st.none() | st.text(max_size=2)))
def test_each_text_is_there_once_and_is_found_by_its_number(texts):
    strings = Strings()
    numbers = [strings.at(text) for text in texts]
    assert len(set(strings.texts)) == len(strings.texts)
    assert [None if number < 0 else strings.texts[number] for number in numbers] == texts


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers())
def test_every_number_is_json_and_none_is_rounded(number):
    written = json.loads(json.dumps(plain(number), allow_nan=False))
    if isinstance(written, str):
        assert written == str(number)
    else:
        assert written == number
        assert not isinstance(number, int) or abs(number) <= 2**53


@pytest.mark.parametrize(
    ("row", "short"), [([], []), ([None], []), ([0, None, ""], [0, None, ""]), ([1, None], [1])]
)
def test_what_is_missing_at_the_end_is_left_out(row, short):
    assert cut(row) == short
