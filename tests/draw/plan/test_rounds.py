"""What stands around each call of a model that is called in a loop."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from autograd_lab.draw import graph_picture
from autograd_lab.draw.plan.collapse import plan
from autograd_lab.draw.plan.homes import homes
from autograd_lab.draw.plan.rounds import rounds
from autograd_lab.draw.tables.graph import graph_table
from autograd_lab.records import Edge, Graph, Node, TensorMeta

META = TensorMeta((2,), "float32", "cpu")


def looped(
    count: int, *, chained: bool = False, after: int = 2, odd: int | None = None, end: int = 1
) -> Graph:
    """A model's calls, something made of each result, and all of it stacked or added up at the end.

    Args:
        count: How many calls.
        chained: Whether the results are added up as they come.
        after: Nodes that follow each call.
        odd: The call that something else follows.
        end: Nodes at the end of the program.
    """
    made: list[
        tuple[str, str | None, list[int | str]]
    ] = []  # in the forward's order: name, module, what it leads to
    results: list[int] = []
    total: int | None = None
    for call in range(1, count + 1):
        made.append(("AddmmBackward0", "fc" if call == 1 else f"Net#{call}.fc", ["fc.weight"]))
        for _ in range(after):
            made.append(("CosBackward0" if call == odd else "SinBackward0", None, [len(made) - 1]))
        results.append(len(made) - 1)
        if chained and total is not None:
            made.append(("AddBackward0", None, [total, len(made) - 1]))
        total = len(made) - 1
    if not chained:
        made.append(("StackBackward0", None, list(results)))
    for _ in range(end):
        made.append(("MulBackward0", None, [len(made) - 1]))
    last = len(made)  # the leaf's id; the others' count from the end
    nodes = [
        Node(
            last - 1 - place, name, "op", place, (META,),
            tuple(Edge(last if isinstance(head, str) else last - 1 - head, 0) for head in heads), module=module,
        )
        for place, (name, module, heads) in reversed(list(enumerate(made)))
    ]  # fmt: skip
    leaf = Node(last, "AccumulateGrad", "accumulate", 2**64 - 1, (META,), variable="fc.weight")
    return Graph((*nodes, leaf), (Edge(0, 0, "loss"),), classes=(("", "Net"), ("fc", "Linear")))


CASES = [
    ({"count": 12}, 12, []),
    ({"count": 2}, 2, []),
    ({"count": 12, "after": 0}, 12, []),
    ({"count": 12, "end": 3}, 12, []),
    ({"count": 12, "odd": 12}, 11, [1]),
    ({"count": 12, "odd": 5}, 7, [1, 4]),  # alike, but they don't follow one another
    ({"count": 12, "chained": True}, 11, [1]),  # nothing is added to before the first
    ({"count": 12, "chained": True, "end": 4}, 11, [1]),
    ({"count": 12, "chained": True, "after": 0}, 11, [1]),
]


@pytest.mark.parametrize(("how", "alike", "others"), CASES)
def test_calls_that_are_alike_are_drawn_once(how, alike, others):
    drawn = plan(looped(**how), repeats=True)
    calls = [part.times for part in drawn.parts if any("fc" in name for name in part.group)]
    assert sorted(calls) == sorted([alike, *others])
    around = how.get("after", 2)
    sines = [part for part in drawn.parts if part.node is not None and part.times == alike and not part.group]
    assert len(sines) == around + bool(how.get("chained"))
    assert {part.frame for part in sines} <= {f"alike × {alike}"}


def test_what_stands_around_a_call_lies_in_a_frame_with_it_and_in_no_module():
    picture = graph_picture(looped(12), repeats=True)
    groups = {box.lines[0].text: box.group for box in picture.boxes}
    assert groups["SinBackward0"] == ("alike × 12",)
    assert groups["AddmmBackward0"][0] == "alike × 12"
    assert groups["AddmmBackward0"][1].startswith("Net … Net#12 × 12")
    assert groups["StackBackward0"] == groups["fc.weight"] == ()
    (into,) = [arrow for arrow in picture.arrows if arrow.tail == "n1" and arrow.head == "n2"]
    assert [line.text for line in into.lines] == ["× 12"]
    assert into.tail_slot is None  # it's all of them
    table = graph_table(looped(12), depth=1, repeats=True)
    assert "alike" not in table
    assert "Net … Net#12 × 12" in table


def test_a_round_has_no_more_than_most_have():
    graph = looped(3, end=3)
    found = rounds(graph, homes(graph), chained=True)
    assert {name: len(nodes) for name, nodes in found.items()} == {"Net": 2, "Net#2": 2, "Net#3": 2}


@given(st.integers(1, 6), st.booleans(), st.integers(0, 2), st.none() | st.integers(1, 6), st.integers(0, 3))
def test_a_part_stands_for_nodes_that_are_alike(count, chained, after, odd, end):
    graph = looped(count, chained=chained, after=after, odd=odd, end=end)
    drawn = plan(graph, repeats=True)
    assert sorted(node for part in drawn.parts for node in part.nodes) == list(range(len(graph)))
    for part in drawn.parts:
        assert len(part.nodes) == part.times
        assert len({graph.nodes[node].name for node in part.nodes}) == 1
        assert len({bool(graph.nodes[node].module) for node in part.nodes}) == 1
