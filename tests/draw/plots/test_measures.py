"""What a norm is in a plot."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from autograd_lab.draw import scales
from autograd_lab.draw.plots.measures import depth_colour, is_low, limits, spread, word

NOT_FINITE = [math.inf, -math.inf, math.nan]


@pytest.mark.parametrize(
    ("norm", "says", "low"),
    [
        (2.5, None, False),
        (0.0, "zero", True),
        (None, "no gradient", True),
        ("not measured", "not measured", True),
        (math.nan, "NaN", False),
        (math.inf, "inf", False),
    ],
)
def test_what_has_no_place_on_a_log_axis_has_a_word_and_an_end(norm, says, low):
    assert (word(norm), is_low(norm)) == (says, low)


@given(st.lists(st.floats(1e-30, 1e30) | st.sampled_from([None, 0.0, "not measured", *NOT_FINITE])))
def test_the_axis_holds_every_norm_that_has_a_place(norms):
    low, high = limits(norms)
    assert 0 < low < high < math.inf
    assert all(low < norm < high for norm in norms if isinstance(norm, float) and 0 < norm < math.inf)
    if all(word(norm) for norm in norms):
        assert spread(norms) is None


def test_layers_go_from_the_first_colour_to_the_last():
    assert depth_colour(0, 1) == scales.DEPTHS[0]
    colours = [depth_colour(index, 200) for index in range(200)]
    assert list(dict.fromkeys(colours)) == list(scales.DEPTHS)
