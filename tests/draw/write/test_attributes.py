"""Attributes as Graphviz reads them."""

from __future__ import annotations

import pygraphviz
import pytest

from autograd_lab.draw.theme import LOOKS, STROKES
from autograd_lab.draw.write.attributes import attributes_of, differences, edge, look_of, margin_of, stroke_of


@pytest.mark.parametrize("look", LOOKS)
def test_a_box_looks_as_the_theme_says(look):
    graph = pygraphviz.AGraph(string=f"digraph {{ a [{attributes_of(look_of(LOOKS[look]))}]; }}")
    found = graph.get_node("a").attr
    assert (found["fillcolor"], found["color"]) == (LOOKS[look].fill, LOOKS[look].line)
    assert float(found["penwidth"]) == pytest.approx(LOOKS[look].width)
    assert ("dashed" in found["style"]) == LOOKS[look].dashed


@pytest.mark.parametrize("stroke", STROKES)
def test_an_arrow_looks_as_the_theme_says(stroke):
    graph = pygraphviz.AGraph(string=f"digraph {{ {edge('a', 'b', stroke_of(STROKES[stroke]))} }}")
    found = graph.get_edge("a", "b").attr
    assert (found["color"], found["style"]) == (STROKES[stroke].line, STROKES[stroke].dash)
    assert (found["arrowhead"] == "normal") == STROKES[stroke].head


def test_only_what_is_not_as_usual_is_written():
    usual = {"color": "red", "style": "solid"}
    assert differences({"color": "red", "style": "dashed"}, usual) == {"style": "dashed"}
    assert edge("a", "b", {}) == "a -> b;"


def test_room_is_in_inches():
    assert margin_of((72, 9)) == '"1.000,0.125"'
