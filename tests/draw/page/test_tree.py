"""The page's boxes: each node in one, none too full, and what each says that it folds."""

from __future__ import annotations

import time
from collections import Counter

from hypothesis import given, settings, strategies as st

from autograd_lab.draw.page.tree import MOST, Tree, tree
from autograd_lab.records import Edge, Graph, Node

LEAF = 2**64 - 1


def chain(modules: list[str | None], **more: object) -> Graph:
    """One node after another, each made in the module given."""
    last = len(modules) - 1
    return Graph(
        tuple(
            Node(
                at,
                "SinBackward0",
                "op",
                last - at,
                next=(Edge(at + 1, 0),) if at < last else (),
                module=module,
            )
            for at, module in enumerate(modules)
        ),
        (Edge(0, 0),),
        **more,
    )


def with_edges(graph: Graph, edges: list[tuple[int, int]]) -> Graph:
    """The graph with more edges, each from one node to a later one; the last nodes are leaves."""
    nodes = list(graph.nodes)
    for pair in edges if len(nodes) > 3 else ():
        tail, head = sorted(number % len(nodes) for number in pair)
        if tail < head and nodes[tail].kind == "op":
            nodes[tail] = nodes[tail]._replace(next=(*nodes[tail].next, Edge(head, 0)))
            if not nodes[head].next:
                nodes[head] = nodes[head]._replace(kind="accumulate", variable="a.b.weight", module=None)
    return Graph(tuple(nodes), graph.roots)


def inside(found: Tree, box: int) -> list[int]:
    """The nodes in a box and in all boxes in it."""
    within = []
    for node, innermost in enumerate(found.box_of):
        own = innermost
        while own not in (-1, box):
            own = found.boxes[own].parent
        if own == box:
            within.append(node)
    return within


def shown(found: Tree) -> list[str]:
    """The boxes as an indented list: kind, title, times."""
    lines = []
    for box in found.boxes:
        depth, around = 0, box.parent
        while around >= 0:
            depth, around = depth + 1, found.boxes[around].parent
        times = f" × {box.times}" if box.times > 1 else ""
        lines.append(f"{'  ' * depth}{box.kind} {box.title}{times}")
    return lines


names = st.sampled_from(["a", "b", "a.b", "a.b.c", "b.0", "b.1", "b.1#2", "", "a#2", "..", None])


@given(
    st.lists(names, max_size=40),
    st.integers(1, 60),
    st.lists(st.tuples(*[st.integers(0, 999)] * 2), max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_each_node_lies_in_one_box_and_no_box_is_too_full(modules, often, edges):
    found = tree(with_edges(chain([module for module in modules for _ in range(often)]), edges))
    boxes = found.boxes
    assert boxes[0].parent == -1
    assert all(0 <= box.parent < at for at, box in enumerate(boxes) if at)  # no circle, one top
    children = Counter(box.parent for box in boxes) + Counter(found.box_of)
    assert max(children.values()) <= MOST
    assert len(found.box_of) == len(modules) * often
    for at, box in enumerate(boxes):
        assert box.title
        assert box.note.startswith("fold ")
        within = inside(found, at)
        assert box.count == len(within)
        assert (box.first, box.last) == ((within[0], within[-1]) if within else (-1, -1))
        assert at == 0 or within


def test_modules_lie_in_modules_and_one_that_holds_but_one_has_no_box_of_its_own():
    found = tree(
        chain(["net.h.a", "net.h.a.fc", "net.h.b", None], classes=(("", "Net"), ("net.h.a", "Block")))
    )
    assert shown(found) == ["top Net", "  module net.h", "    module a", "      module fc", "    module b"]
    assert [box.class_name for box in found.boxes] == ["Net", None, "Block", None, None]
    assert found.box_of == [2, 3, 4, 0]


BLOCKS = tuple((f"h.{at}", "Block") for at in range(3))


def test_blocks_that_are_alike_lie_in_one_box_that_counts_them():
    found = tree(chain([*(f"h.{at}.fc" for at in (2, 1, 0) for _ in range(2)), None], classes=BLOCKS))
    assert shown(found) == [
        "top graph", "  repeats h.0 … 2 × 3", "    module 2.fc", "    module 1.fc", "    module 0.fc"
    ]  # fmt: skip
    assert found.boxes[1].note == "fold repeats"


def test_runs_inside_of_blocks_that_are_alike_are_found_in_each():
    modules = [
        f"h.{block}.{part}.{at}"
        for block in (1, 0)
        for part, ats in (("s", (1, 0)), ("t", (0,)))
        for at in ats
    ]
    lines = shown(tree(chain([*modules, None])))
    assert lines[:2] == ["top graph", "  repeats h.0 … 1 × 2"]
    assert [line.strip() for line in lines].count("repeats s.0 … 1 × 2") == 2


def test_a_long_run_is_cut_into_segments_and_these_again():
    found = tree(chain([None] * 20_345))
    titles = [box.title for box in found.boxes if box.parent == 0]
    assert titles == ["0 … 9999", "10000 … 19999", "20000 … 20344"]
    assert [box.title for box in found.boxes if box.parent == 1][:2] == ["0 … 99", "100 … 199"]
    assert {box.note for box in found.boxes[1:]} == {"fold nodes"}
    assert found.box_of[4321] == next(at for at, box in enumerate(found.boxes) if box.title == "4300 … 4399")


def test_the_calls_of_a_cell_are_cut_into_segments_that_name_the_calls():
    calls = ["cell" if at == 1 else f"cell#{at}" for at in range(400, 0, -1)]
    lines = shown(tree(chain([*(call for call in calls for _ in range(2)), None])))
    assert lines[:3] == [
        "top graph", "  repeats cell … cell#400 × 400", "    segment cell#301 … cell#400"
    ]  # fmt: skip


def test_one_that_is_left_over_is_no_segment():
    found = tree(chain([None] * 201))
    assert [box.title for box in found.boxes[1:]] == ["0 … 99", "100 … 199"]
    assert found.box_of[200] == 0


def test_a_very_long_chain_takes_no_quadratic_time():
    graphs = [chain([None] * length) for length in (10_000, 40_000)]
    took = []
    for graph in graphs:
        began = time.process_time()
        tree(graph)
        took.append(time.process_time() - began)
    assert took[1] < 8 * took[0] + 0.1  # four times as long, with room for noise; 16 times were it quadratic
