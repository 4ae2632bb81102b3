"""Norms over several backwards."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from autograd_lab.draw import scales
from autograd_lab.draw.plots.overtime import heat_map, lines

NORMS = [
    {"a.w": 1.0, "b.w": 10.0, "c.w": 1e3},
    {"a.w": 0.0, "b.w": math.nan, "c.w": None},
    {"a.w": math.inf, "b.w": "not measured", "c.w": 1e2},
]


def test_a_lines_colour_says_how_deep_its_layer_lies():
    found = [{f"h.{i}": 1.0 for i in range(9)}] * 2
    _, axes = lines([0, 1], found)
    drawn = [line.get_color() for line in axes.lines if line.get_label().startswith("h.")]
    assert drawn == list(scales.DEPTHS)
    dashes = [line.get_linestyle() for line in axes.lines if line.get_label().startswith("h.")]
    assert all(one != other for one, other in pairwise(dashes))


def test_a_cells_colour_is_its_norm_and_the_first_layer_is_on_top():
    figure, axes = heat_map([4, 5, 6], NORMS)
    (mesh,) = axes.collections
    values = mesh.get_array().reshape(3, 3)
    assert [list(row.filled(-1)) for row in values] == [[1.0, -1, -1], [10.0, -1, -1], [1e3, -1, 1e2]]
    assert (mesh.norm.vmin, mesh.norm.vmax) == (1.0, 1e3)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a.w", "b.w", "c.w"]
    assert axes.get_ylim() == (3, 0)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "5", "6"]
    assert "norm of the gradient that arrived" in [each.get_ylabel() for each in figure.axes]


def test_what_has_no_colour_has_a_sign_that_is_explained():
    _, axes = heat_map([0, 1, 2], NORMS)
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    assert texts["0"] == (1.5, 0.5)
    assert texts["?"] == (2.5, 1.5)
    assert sorted(text.get_position() for text in axes.texts if text.get_text() == "×") == [
        (1.5, 1.5),
        (2.5, 0.5),
    ]
    (note,) = [text for text in texts if ":" in text]
    assert note.split("   ") == ["blank: no gradient", "0: zero", "?: not measured", "×: NaN", "×: inf"]


@pytest.mark.parametrize("norms", [[{"a": 0.0}] * 9, [{"a": None}] * 9, [{"a": 2.0}] * 9])
def test_a_map_of_one_value_or_none_is_drawn(norms):
    _, axes = heat_map(list(range(9)), norms)
    assert axes.collections
