"""Clusters that follow one another stand in a column."""

from __future__ import annotations

import graphlib
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from autograd_lab.draw.layout.fromdot import read
from autograd_lab.draw.layout.stacking import MOST, above
from autograd_lab.draw.native import graphviz
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.write.dot import to_dot


def layers(count: int, *, outside: str = "") -> Picture:
    """Layers with two leaves each; ``outside`` "x" sets a box between them that lies in none."""
    boxes, arrows, before = [], [], ""
    for index in range(count):
        boxes += [Box(f"{kind}{index}", (Line("MulBackward0"),), group=(f"{index}",)) for kind in "abw"]
        arrows += [Arrow(f"a{index}", f"b{index}"), Arrow(f"a{index}", f"w{index}")]
        arrows += [Arrow(before, f"a{index}")] if before else []
        before = f"a{index}"
        if outside and index + 1 < count:
            boxes.append(Box(f"x{index}", (Line("AddBackward0"),)))
            arrows.append(Arrow(before, f"x{index}"))
            before = f"x{index}"
    return Picture(tuple(boxes), tuple(arrows))


@pytest.mark.parametrize("outside", ["", "x"])
def test_a_chain_of_layers_is_a_column(outside):
    picture = layers(5, outside=outside)
    frames = [
        framed.frame for framed in read(picture, graphviz.lay_out(to_dot(picture, numbered=True))).clusters
    ]
    assert all(one.bottom > other.top for one, other in pairwise(frames))
    lefts, rights = [frame.left for frame in frames], [frame.right for frame in frames]
    assert max(lefts) < min(rights)  # each stands under all others: no staircase


def test_without_it_dot_makes_a_staircase(monkeypatch):
    """Otherwise the test above tests nothing."""
    monkeypatch.setattr("autograd_lab.draw.write.dot.above", lambda _: [])
    with pytest.raises(AssertionError):
        test_a_chain_of_layers_is_a_column("")


KEYS = [f"n{i}" for i in range(8)]


@given(
    st.lists(st.sampled_from([(), ("f",), ("g",), ("f", "x")]), min_size=8, max_size=8),
    st.sets(
        st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1]), max_size=14
    ),
)
def test_nothing_is_said_that_contradicts_an_arrow(groups, pairs):
    boxes = tuple(Box(key, (), group=group) for key, group in zip(KEYS, groups, strict=True))
    arrows = tuple(Arrow(KEYS[tail], KEYS[head]) for tail, head in sorted(pairs))
    order = graphlib.TopologicalSorter()
    for tail, head in [*((arrow.tail, arrow.head) for arrow in arrows), *above(Picture(boxes, arrows))]:
        order.add(head, tail)
    order.prepare()  # raises where there's a circle


def test_there_is_an_end_to_it():
    assert len(above(layers(MOST // 2))) <= MOST
    assert above(layers(MOST)) == []
