"""Placed pictures: nothing overlaps, arrows begin and end at their boxes, in every direction."""

import itertools
import random

import pygraphviz
import pytest

from autograd_lab.draw.layout import placing, sizes
from autograd_lab.draw.layout.placing import Placement, placed
from autograd_lab.draw.layout.widths import text_width
from autograd_lab.draw.picture import DIRECTIONS, Arrow, Box, Line, Picture
from autograd_lab.draw.theme import LOOKS
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.scalar import scalar_picture
from autograd_lab.draw.write.dot import to_dot
from autograd_lab.records import Edge, Graph, Node


def some_graph(count: int, seed: int) -> Graph:
    rng = random.Random(seed)
    nodes = []
    for index in range(count):
        later = (
            [rng.randrange(index + 1, count) for _ in range(rng.choice((1, 2, 2, 3)))]
            if index < count - 1
            else []
        )
        nodes.append(
            Node(index, f"Op{index}Backward0", "op", count - index, next=tuple(Edge(to, 0) for to in later))
        )
    return Graph(tuple(nodes), (Edge(0, 0, "loss"),))


def sides(placement: Placement, index: int) -> tuple[float, float, float, float]:
    (x, y), (width, height) = placement.positions[index], placement.sizes[index]
    return x - width / 2, x + width / 2, y - height / 2, y + height / 2


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_no_two_boxes_touch(direction):
    placement = placed(graph_picture(some_graph(60, 0), direction=direction))
    for one, other in itertools.combinations(range(len(placement.positions)), 2):
        left, right, low, high = sides(placement, one)
        other_left, other_right, other_low, other_high = sides(placement, other)
        assert right < other_left or other_right < left or high < other_low or other_high < low


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_arrows_leave_and_reach_the_sides_that_face_each_other(residual, every_kind, direction):
    for graph in (residual, every_kind):
        picture = graph_picture(graph, direction=direction)
        placement = placed(picture)
        index_of = {box.key: i for i, box in enumerate(picture.boxes)}
        for arrow, route in zip(picture.arrows, placement.routes, strict=True):
            for index, end, leaves in (
                (index_of[arrow.tail], route.points[0], True),
                (index_of[arrow.head], route.points[-1], False),
            ):
                left, right, low, high = sides(placement, index)
                assert left - 0.1 <= end[0] <= right + 0.1
                assert low - 0.1 <= end[1] <= high + 0.1
                far, near = {
                    "down": (low, high),
                    "up": (high, low),
                    "right": (right, left),
                    "left": (left, right),
                }[direction]
                across = end[1] if direction in ("down", "up") else end[0]
                assert across == pytest.approx(far if leaves else near, abs=0.1)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_placed_arrow_begins_at_the_slot_that_graphviz_draws(svg_of, direction):
    box = Box("a", (Line("CatBackward0", "title"), Line("f32[120,3]")), outs=tuple(map(str, range(8))))
    others = tuple(Box(f"b{i}", (Line("B"),)) for i in range(8))
    arrows = tuple(Arrow("a", other.key, tail_slot=i) for i, other in enumerate(others))
    picture = Picture((box, *others), arrows, "", direction)

    upright = direction in ("down", "up")
    placement = placed(picture)
    starts = [route.points[0][0 if upright else 1] for route in placement.routes]
    texts = svg_of(to_dot(picture)).iter("{http://www.w3.org/2000/svg}text")
    slots = [text for text in texts if text.get("font-size") == "8.00"]
    drawn = [
        float(slot.get("x")) + text_width(slot.text, 8.0) / 2 if upright else -float(slot.get("y"))
        for slot in slots
    ]
    for start, real in zip(starts, drawn, strict=True):
        assert start - starts[0] == pytest.approx(real - drawn[0], abs=3.0)
    middle = placement.positions[0][0 if upright else 1]
    assert sum(starts) / len(starts) == pytest.approx(middle, abs=3.0)


def test_a_way_back_runs_from_head_to_tail(seed):
    picture = scalar_picture(seed)
    placement = placed(picture)
    index_of = {box.key: i for i, box in enumerate(picture.boxes)}
    for arrow, back in zip(picture.arrows, placement.back, strict=True):
        assert (back is not None) == bool(arrow.back)
        if back is not None:
            for index, (x, y) in (
                (index_of[arrow.head], back.points[0]),
                (index_of[arrow.tail], back.points[-1]),
            ):
                left, right, low, high = sides(placement, index)
                assert left - 0.1 <= x <= right + 0.1
                assert low - 0.1 <= y <= high + 0.1


def test_equal_pictures_are_placed_alike():
    pictures = [graph_picture(some_graph(80, 3)) for _ in range(2)]
    assert placed(pictures[0]) == placed(pictures[1])


def test_nothing_is_placed_too():
    assert placed(Picture((), ())) == Placement((), (), (), ())


def test_boxes_with_an_outline_are_drawn_as_large_as_they_were_placed():
    boxes = tuple(
        Box(f"n{i}", (Line("ConvolutionBackward0", "title"), Line("f32[8,8]")), look)
        for i, look in enumerate(name for name, look in LOOKS.items() if look.shape != "plain")
    )
    picture = Picture(boxes, ())
    placement = placed(picture)
    graph = pygraphviz.AGraph(string=to_dot(picture, placement))
    graph.layout("nop2")
    for box, (width, height) in zip(boxes, placement.sizes, strict=True):
        node = graph.get_node(box.key)
        assert 72 * float(node.attr["width"]) == pytest.approx(width, abs=0.5), box.look
        assert 72 * float(node.attr["height"]) == pytest.approx(height, abs=0.5), box.look


@pytest.mark.parametrize("direction", ["down", "right"])
def test_slots_are_reckoned_once_a_box(monkeypatch, direction):
    """Once an arrow, a node with 3,000 inputs took minutes."""
    reckoned = []
    monkeypatch.setattr(
        placing, "slot_sizes", lambda *asked: reckoned.append(asked) or sizes.slot_sizes(*asked)
    )
    leaves = 50
    fan = Box("cat", (Line("CatBackward0"),), outs=tuple(map(str, range(leaves))))
    boxes = (fan, *(Box(f"n{i}", (Line("leaf"),)) for i in range(leaves)))
    arrows = tuple(Arrow("cat", f"n{i}", tail_slot=i) for i in range(leaves))
    found = placed(Picture(boxes, arrows, direction=direction))
    assert len(reckoned) == 1
    along = 0 if direction == "down" else 1
    starts = [route.points[0][along] for route in found.routes]
    assert len({round(start, 3) for start in starts}) == leaves
    middle = (max(starts) + min(starts)) / 2
    assert middle == pytest.approx(found.positions[0][along], abs=5)  # numbers differ in width
