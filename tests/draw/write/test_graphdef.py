"""Graphs for TensorBoard: names that its reader takes as they are meant, by the rules of its own source."""

from __future__ import annotations

import re

from hypothesis import given, settings, strategies as st

from autograd_lab.draw.plan.homes import homes
from autograd_lab.draw.write.graphdef import to_graph_def
from autograd_lab.records import Edge, Graph, Node, Saved, Step, TensorMeta, Trace

META = TensorMeta((2, "s0"), "float32", "cpu")
LAST = 2**64 - 1
HOSTILE = [
    "", "/", "a/b", "a:1", "^a", "a", "b", "__proto__", "constructor", "a\\", "cell#2", "[0]", " ", '"', "}", "漢字",
    "\ud800",
]  # fmt: skip
words = st.sampled_from(HOSTILE)
paths = st.lists(words, min_size=1, max_size=3).map(".".join)


def end(found):
    """Its ``normalizeInputs``: the node and the output that an input is of."""
    assert not found.startswith("^")
    match = re.match(r"^([^:]+):((\w+:|)\d+)$", found)
    return (match[1], match[2]) if match else (found, "0")


@given(st.lists(st.tuples(words, st.one_of(st.none(), paths), paths), min_size=1, max_size=6))
@settings(deadline=None, max_examples=80)
def test_names_are_unique_inputs_have_ends_and_modules_stay_apart(named):
    last = len(named) - 1
    nodes = tuple(
        Node(at, name, "op", 9 - at, (META,), (Edge(at + 1, 0), Edge(last, 0)), module=module)
        if at < last
        else Node(at, "AccumulateGrad", "accumulate", LAST, (META,), variable=variable)
        for at, (name, module, variable) in enumerate(named)
    )
    graph = Graph(nodes, (Edge(0, 0),))
    found = to_graph_def(graph)
    names = [each.name for each in found]
    assert len(set(names)) == len(names)
    ends = [(end(source), each.name) for each in found for source in each.inputs]
    assert sorted(ends) == sorted(
        ((names[tail], str(slot)), names[edge.node]) for tail, slot, edge in graph.edges
    )
    places = [place or () for place in homes(graph)]
    spaces = [tuple(name.split("/")[:-1]) for name in names]
    assert [len(space) for space in spaces] == [len(place) for place in places]
    for one, here in zip(spaces, places, strict=True):
        for other, there in zip(spaces, places, strict=True):
            assert (one == other) == (here == there)
    assert all(re.fullmatch(r"[\w.#()\[\]/-]+", name) for name in names)
    parts = {part for name in names for part in name.split("/")} | {each.op for each in found}
    assert not parts & {"constructor", "__proto__", "toString", ""}


def test_no_node_is_drawn_inside_another_for_its_type():
    """Its ``inEmbeddingTypes`` and ``outEmbeddingTypes``."""
    for name in ("ConstantPadNdBackward0", "MySummary", "ConstSummary"):
        (found,) = to_graph_def(Graph((Node(0, name, "op", 1),), ()))
        assert not re.search("Const", found.op)
        assert not re.search("^[a-zA-Z]+Summary$", found.op)
        assert found.op.casefold() == name.casefold()


def test_what_is_known_of_a_run():
    saved = (Saved("self", META, nbytes=24, storage=0, storage_nbytes=24),)
    graph = Graph(
        (
            Node(0, "ExpBackward0", "op", 1, (META,), (Edge(1, 0), None), saved),
            Node(1, "X", "op", 0, (META,)),
        ),
        (),
    )
    first, second = to_graph_def(Trace(graph, (Step(0, 0, started_ns=5_000, duration_ns=300),)))
    assert (first.start_us, first.duration_us, first.saved, first.shapes) == (5, 1, 24, ((2, -1), None))
    assert (second.start_us, second.duration_us, second.inputs) == (None, None, ("ExpBackward0_0:0",))


def test_attributes_stay_below_what_the_plugin_leaves_out():
    (found,) = to_graph_def(Graph((Node(0, "X", "op", 1, module="漢" * 500),), ()))
    assert all(len(text.encode()) < 1000 for _, text in found.attributes)
