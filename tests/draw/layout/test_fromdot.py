"""dot's own layout, and names of clusters where no arrow runs."""

from __future__ import annotations

import json

import pytest

from autograd_lab.draw.layout.fromdot import read
from autograd_lab.draw.layout.placing import Placement
from autograd_lab.draw.layout.space import pieces
from autograd_lab.draw.native import graphviz
from autograd_lab.draw.picture import DIRECTIONS, Picture
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.scalar import scalar_picture
from autograd_lab.draw.write.dot import to_dot
from autograd_lab.records import Edge, Graph, Node, TensorMeta

LEAF = 2**64 - 1


def laid_out(picture: Picture) -> Placement:
    return read(picture, graphviz.lay_out(to_dot(picture, numbered=True)))


def stack(*modules: str) -> Graph:
    """Linear layers one after another, each with its weight and bias: at `dot`'s left end a name is struck out."""
    nodes = []
    for index, module in enumerate(modules):
        here = 3 * index
        following = (Edge(here + 3, 0),) if index + 1 < len(modules) else (None,)
        edges = (Edge(here + 1, 0), *following, Edge(here + 2, 0))
        meta = (TensorMeta((4, 16), "float32", "cpu"),)
        nodes += [
            Node(here, "AddmmBackward0", "op", 99 - index, meta, edges, module=module),
            Node(here + 1, "AccumulateGrad", "accumulate", LEAF, meta, variable=f"{module}.bias"),
            Node(here + 2, "AccumulateGrad", "accumulate", LEAF, meta, variable=f"{module}.weight"),
        ]
    kinds = tuple((module, "Linear") for module in modules)
    return Graph(tuple(nodes), (Edge(0, 0, "loss"),), classes=kinds)


@pytest.fixture(autouse=True)
def _no_column(monkeypatch):
    """In a column arrows meet names less often, so there'd be less to test."""
    monkeypatch.setattr("autograd_lab.draw.write.dot.above", lambda _: [])


FLAT = stack("head", "body.3", "body.2", "body.1", "body.0")
DEEP = stack("a.x.1", "a.x.0", "a", "b.x.y.1", "b.x.y.0", "b.x.z")


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("graph", [FLAT, DEEP], ids=["flat", "deep"])
def test_no_arrow_strikes_out_the_name_of_a_cluster(graph, direction):
    picture = graph_picture(graph, direction=direction)
    placement = laid_out(picture)
    assert len(placement.clusters) >= 6
    curves = [piece for route in placement.routes for piece in pieces(route)]
    for framed in placement.clusters:
        assert not any(framed.label.meets(piece) for piece in curves), framed
        assert not any(framed.label.meets(box) for box in placement.box_rects())
        assert framed.frame.left < framed.label.left < framed.label.right < framed.frame.right
        assert framed.frame.bottom < framed.label.bottom < framed.label.top < framed.frame.top
    names = [framed.label for framed in placement.clusters]
    assert not any(one.meets(other) for one in names for other in names if one is not other)


def test_dots_own_place_would_be_struck_out():
    """Otherwise the test above tests nothing."""
    picture = graph_picture(FLAT)
    answer = json.loads(graphviz.lay_out(to_dot(picture, numbered=True)))
    placement = laid_out(picture)
    curves = [piece for route in placement.routes for piece in pieces(route)]
    struck = 0
    for index, framed in enumerate(placement.clusters, start=1):
        (found,) = [each for each in answer["objects"] if each["name"] == f"cluster_{index}"]
        x, y = map(float, found["lp"].split(","))
        width, height = framed.label.size
        there = framed.label._replace(
            left=x - width / 2, right=x + width / 2, bottom=y - height / 2, top=y + height / 2
        )
        struck += any(there.meets(piece) for piece in curves)
    assert struck >= 3


def test_every_part_of_a_picture_has_its_place(residual, seed):
    for picture in (graph_picture(residual, saved=True), scalar_picture(seed)):
        placement = laid_out(picture)
        assert len(placement.positions) == len(placement.sizes) == len(picture.boxes)
        assert all(len(route.points) >= 4 for route in placement.routes)
        for index, arrow in enumerate(picture.arrows):
            assert (placement.label(picture, index) is not None) == bool(arrow.lines)
            assert (placement.label(picture, index, back=True) is not None) == bool(arrow.back)
            assert (placement.back[index] is not None) == bool(arrow.back)


def test_a_way_back_begins_at_the_head(seed):
    picture = scalar_picture(seed)
    placement = laid_out(picture)
    place = dict(zip((box.key for box in picture.boxes), placement.positions, strict=True))
    for arrow, way, back in zip(picture.arrows, placement.routes, placement.back, strict=True):
        if back is not None:
            assert abs(back.points[0][0] - place[arrow.head][0]) < abs(
                back.points[-1][0] - place[arrow.head][0]
            )
            assert abs(way.points[0][0] - place[arrow.tail][0]) < abs(
                way.points[-1][0] - place[arrow.tail][0]
            )
