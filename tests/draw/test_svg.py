"""A picture on a page: dark colours, and words for those who can't see it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from autograd_lab.draw import draw
from autograd_lab.draw.layout.widths import text_width
from autograd_lab.draw.native import graphviz
from autograd_lab.draw.svg import DARK, at_home
from autograd_lab.draw.theme import FONT
from autograd_lab.records import Edge, Graph, Node

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def pictures():
    node = Node(0, "ExpBackward0", "op", 0, module="a.b")
    graph = Graph((node, node._replace(id=1, module="a")), (Edge(0, 0, "<loss> & more"),))
    return [draw(graph, "svg"), draw(graph, "svg", depth=1)]


def test_every_colour_has_a_dark_one(pictures):
    for svg in pictures:
        style = re.search(r"<style>(.*?)</style>", svg, re.DOTALL)[1]
        drawn = svg.replace(style, "")
        colours = {colour for _, colour in re.findall(r'(fill|stroke)="(#[0-9a-f]{6})"', drawn)}
        assert colours
        for colour in colours:
            assert f"--lab-{colour[1:]}:{colour};" in style
            assert f"--lab-{colour[1:]}:{DARK[colour]};" in style.partition("prefers-color-scheme:dark")[2]
        for attribute, colour in set(re.findall(r'(fill|stroke)="(#[0-9a-f]{6})"', drawn)):
            assert f'.autograd-lab [{attribute}="{colour}"]{{{attribute}:var(--lab-{colour[1:]})}}' in style
        assert not re.search(r'(fill|stroke)="(?!none|transparent|#)', drawn)


def test_a_screen_reader_finds_a_title_and_a_sentence(pictures):
    root = ElementTree.fromstring(pictures[0])
    first, second = list(root)[:2]
    assert (root.get("role"), root.get("class")) == ("img", "autograd-lab")
    assert root.get("aria-labelledby").split() == [first.get("id"), second.get("id")]
    assert (first.tag, first.text) == (f"{SVG}title", "Backward graph of <loss> & more: 2 nodes")
    assert second.tag == f"{SVG}desc"
    assert second.text.startswith("The backward graph of <loss> & more: 2 nodes")


def test_ids_of_two_pictures_differ_and_the_same_picture_is_the_same(pictures):
    ids = [re.search(r'aria-labelledby="([^"]*)"', svg)[1] for svg in pictures]
    assert len(set(ids)) == 2
    assert at_home("<svg><g/></svg>", "a", "b") == at_home("<svg><g/></svg>", "a", "b")


def test_colours_in_styles_are_matplotlibs():
    svg = at_home('<svg><path style="fill: #0b5a9e; stroke: #123456"/></svg>', "Loss", "A loss.")
    assert f"--lab-0b5a9e:{DARK['#0b5a9e']}" in svg
    assert '[style*="fill: #0b5a9e"]{fill:var(--lab-0b5a9e)!important}' in svg
    assert "--lab-123456" not in svg  # a colour that isn't the theme's stays as it is


def test_what_is_no_picture_stays_as_it_is():
    assert at_home("nothing", "a", "b") == "nothing"


def test_text_is_as_wide_in_a_browser_as_graphviz_took_it_to_be(pictures):
    """At size 10 Graphviz reckons 96 to 98 % of the letters' true widths."""
    words = ("BinaryCrossEntropyWithLogitsBackward0", "saved 12.58 KiB + 8.25 KiB of parameters")
    for text in words:
        label = f'<<FONT POINT-SIZE="10">{text}</FONT>>'
        dot = f'digraph {{ a [shape=plain, margin=0, fontname="{FONT}", label={label}] }}'
        (node,) = json.loads(graphviz.lay_out(dot))["objects"]
        assert text_width(text, 9.7) == pytest.approx(float(node["width"]) * 72, rel=0.02)
    assert all('text[font-size="10.00"]{font-size:9.7px}' in svg for svg in pictures)
