"""Graphs for Model Explorer: what its reader makes of them, by the rules of its own source."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from autograd_lab.draw import draw
from autograd_lab.draw.plan.homes import homes
from autograd_lab.draw.write.modelexplorer import to_model_explorer
from autograd_lab.errors import RenderError
from autograd_lab.records import (
    Accumulation,
    Edge,
    GradStats,
    Graph,
    Node,
    Saved,
    Source,
    Step,
    TensorMeta,
    Trace,
)

META = TensorMeta((2, 3), "float32", "cpu")
LAST = 2**64 - 1


def trace(number=3, **more):
    saved = (
        Saved("self", META, nbytes=24, storage=0, storage_nbytes=24, variable="h"),
        Saved("exponent", value=2),
    )
    graph = Graph(
        (
            Node(0, "PowBackward0", "op", 8, (META,), (Edge(1, 0, "h"),), saved, module="net.act",
                 source=Source("train.py", 7, "forward")),
            Node(1, "AddBackward0", "op", 7, (META,), (Edge(2, 0), Edge(2, 0)), module="net.act"),
            Node(2, "AccumulateGrad", "accumulate", LAST, (META,), variable="net.act.w", aliases=("tied",)),
        ),
        (Edge(0, 0, "loss"),),
        unreached=("net.b",),
        classes=(("net.act", "Act"),),
    )  # fmt: skip
    stats = GradStats(META, norm=2.0)
    steps = (
        Step(0, 0, (stats,), (stats,), 0, 1_500_000),
        Step(1, 1, (stats,), (stats, stats), 1_600_000, 400_000),
        Step(2, 2, (GradStats(META, float("nan"), nans=1, infs=0),), (), 2_100_000, 100_000,
             accumulation=Accumulation("stole", None, stats)),
    )  # fmt: skip
    return Trace(graph, steps, 2_300_000, number=number, **more)


def read(record):
    return json.loads(to_model_explorer(record))["graphs"]


def test_golden(golden):
    golden(
        "small.me.json",
        json.dumps(json.loads(to_model_explorer(trace())), indent=1, ensure_ascii=False) + "\n",
    )


def test_it_is_a_collection_for_the_tool(tmp_path):
    """By the rule of its ``loadGraphsJson``: a label and graphs."""
    found = json.loads(draw([trace(), trace(4)], "model-explorer"))
    assert (found["label"], [graph["id"] for graph in found["graphs"]]) == (
        "backward",
        ["backward 3", "backward 4"],
    )


def test_the_order_of_names_is_that_of_numbers_and_no_name_comes_twice():
    """It sorts graphs by name, as texts."""
    traces = [trace(0), trace(2), trace(2, within=1), trace(10), trace(2, within=0)]
    names = [graph["id"] for graph in read(traces)]
    assert sorted(names) == ["backward 00", "backward 02", "backward 02.1", "backward 02.2", "backward 10"]


def split(namespace):
    """Its ``splitNamespace``, and what it does with semicolons."""
    parts = [part for part in namespace.split(";") if part]
    namespace = parts[-1] if len(parts) > 1 else namespace
    hidden = namespace.replace("\\/", "\0")
    return [part.replace("\0", "\\/") for part in hidden.split("/") if part]


HOSTILE = [
    "",
    "/",
    "a/b",
    "a",
    "b",
    "a;b",
    "a；b",
    "a\\",
    "#2",
    "a#2",
    "[0]",
    " ",
    "constructor",
    "const",
    '"',
    "漢字",
    "\ud800",
]
words = st.sampled_from(HOSTILE)
paths = st.lists(words, min_size=1, max_size=3).map(".".join)


@st.composite
def graphs(drawn):
    """Any graph in the engine's order: edges lead to later nodes, some are parallel, names are hostile."""
    count = drawn(st.integers(1, 6))
    nodes = []
    for at in range(count):
        heads = st.one_of(st.none(), st.integers(at + 1, count - 1)) if at + 1 < count else st.none()
        edges = tuple(
            None if head is None else Edge(head, drawn(st.integers(0, 2)), drawn(st.one_of(st.none(), words)))
            for head in drawn(st.lists(heads, max_size=3))
        )
        leaf = not edges and drawn(st.booleans())
        nodes.append(
            Node(
                at, "AccumulateGrad" if leaf else drawn(words), "accumulate" if leaf else "op",
                LAST if leaf else count - at, (META,) * drawn(st.integers(0, 2)), edges, (Saved(drawn(words), META),),
                variable=drawn(paths) if leaf else None, module=None if leaf else drawn(st.one_of(st.none(), paths)),
            )
        )  # fmt: skip
    return Graph(tuple(nodes), (Edge(0, 0),))


@given(graphs())
@settings(deadline=None, max_examples=80)
def test_ids_are_unique_edges_have_ends_and_modules_stay_apart(graph):
    (found,) = read(graph)
    ids = [node["id"] for node in found["nodes"]]
    assert len(set(ids)) == len(ids) == len(graph)
    edges = [(edge["sourceNodeId"], node["id"]) for node in found["nodes"] for edge in node["incomingEdges"]]
    assert all(source in ids for source, _ in edges)
    assert sorted(edges) == sorted((str(tail), str(edge.node)) for tail, _, edge in graph.edges)
    spaces = [split(node["namespace"]) for node in found["nodes"]]
    places = [place or () for place in homes(graph)]
    assert [len(space) for space in spaces] == [len(place) for place in places]
    for one, here in zip(spaces, places, strict=True):
        for other, there in zip(spaces, places, strict=True):
            for length in range(1, 4):
                assert (one[:length] == other[:length]) == (here[:length] == there[:length])
    assert set(found["groupNodeAttributes"]) == {""} | {
        "/".join(space[:length]) for space in spaces for length in range(1, len(space) + 1)
    }
    assert all(item["value"] for node in found["nodes"] for item in node["attrs"])


def test_modules_whose_names_differ_in_what_is_replaced_stay_apart():
    names = ["a;b", "a；b", "a/b", "a／b", "a\\", "a＼", "", "(unnamed)"]
    nodes = [Node(at, "X", "op", 9 - at, module=f"net.{name}") for at, name in enumerate(names)]
    (found,) = read(Graph(tuple(nodes), ()))
    assert len({node["namespace"] for node in found["nodes"]}) == len(names)
    assert all(len(split(node["namespace"])) == 2 for node in found["nodes"])


def test_a_parameter_whose_label_the_tool_hides_is_shown():
    graph = Graph((Node(0, "AccumulateGrad", "accumulate", LAST, variable="const"),), ())
    assert read(graph)[0]["nodeLabelsToHide"] == []


def test_slots_and_shapes_are_those_of_the_edges():
    (graph,) = read(trace())
    leaf = graph["nodes"][2]
    assert [edge["sourceNodeOutputId"] for edge in leaf["incomingEdges"]] == ["0", "1"]
    shapes = [
        {each["key"]: each["value"] for each in item["attrs"]}
        for item in graph["nodes"][1]["outputsMetadata"]
    ]
    assert [(each["tensor_shape"], each["norm"]) for each in shapes] == [("f32[2,3]", "2")] * 2


# --- node data -----------------------------------------------------------------------


def data(record, **options):
    return json.loads(draw(record, "node-data", **options), parse_constant=pytest.fail)


def test_node_data_is_of_the_graphs_in_the_collection():
    traces = [trace(), trace(12)]
    found = data(traces)
    assert list(found) == [graph["id"] for graph in read(traces)]
    assert found["backward 03"]["results"]["2"]["value"] == "nan"
    assert found["backward 03"]["results"]["0"]["value"] == 2.0
    colours = {each["bgColor"] for each in found["backward 03"]["results"].values()}
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert len(colours) == 2


def test_the_measure_is_chosen_by_heat():
    assert data(trace(), heat="time")["backward 3"]["results"]["0"]["value"] == 1.5
    assert data(trace(), heat="saved")["backward 3"]["results"] == {
        "0": {"value": 24.0, "bgColor": "#fdf8e3"}
    }
    assert list(data(trace().graph)) == ["backward graph"]


def test_a_backward_of_which_nothing_is_known_is_left_out_among_others():
    nothing = replace(trace(4), steps=())
    assert list(data([trace(), nothing])) == ["backward 3"]
    with pytest.raises(RenderError, match="no norms; trace with stats='norm'"):
        data(nothing)
