"""The graph's own questions: nodes, edges, leaves, bytes; and what it says when it's put together wrongly."""

from __future__ import annotations

import pickle

import pytest

from autograd_lab.records import Edge, Graph, Hook, Node, Saved, Source, TensorMeta

LEAF = 2**64 - 1
F32 = TensorMeta((2, 3), "float32", "cpu")


def graph():
    return Graph(
        (
            Node(0, "MulBackward0", "op", 2, (F32,), (Edge(1, 0), Edge(1, 0), None)),
            Node(1, "SplitBackward0", "op", 1, (F32, F32), (Edge(2, 0),), module="encoder.Layer"),
            Node(
                2, "AccumulateGrad", "accumulate", LEAF, (F32,), variable="W.weight", aliases=("tied.weight",)
            ),
        ),
        (Edge(0, 0), Edge(1, 1)),
    )


def test_nodes_by_id():
    assert len(graph()) == 3
    assert [graph().node(number) for number in range(3)] == list(graph().nodes)
    for number in (-1, 3, 2**70):
        with pytest.raises(KeyError, match=f"no node {number}: this graph has the ids 0 to 2"):
            graph().node(number)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("MULBACK", [0]),
        ("backward", [0, 1]),
        ("w.weight", [2]),
        ("TIED", [2]),
        ("encoder.layer", [1]),
        ("nothing", []),
        ("", [0, 1, 2]),
    ],
)
def test_find(text, ids):
    assert [node.id for node in graph().find(text)] == ids


def test_leaves_and_edges():
    assert graph().leaves == (graph().nodes[2],)
    assert graph().edges == ((0, 0, Edge(1, 0)), (0, 1, Edge(1, 0)), (1, 0, Edge(2, 0)))


def test_bytes_are_counted_once_for_each_storage():
    node = (
        graph()
        .nodes[0]
        ._replace(
            saved=(
                Saved("a", F32, nbytes=24, storage=0, storage_nbytes=100),
                Saved("b", F32, nbytes=8, storage=0, storage_nbytes=100),
                Saved("c", F32, nbytes=4, storage=1, storage_nbytes=4),
                Saved("symbolic", F32, storage=2),
                Saved("apart", F32, nbytes=7),
                Saved("alpha", value=3),
                Saved("gone", released=True),
            )
        )
    )
    assert Graph((node,), ()).saved_nbytes == 111
    assert Graph((), ()).saved_nbytes == 0


def test_a_good_graph_is_valid():
    graph().validate()
    Graph((), ()).validate()


@pytest.mark.parametrize(
    ("nodes", "roots", "says"),
    [
        ((Node(1, "A", "op", 0),), (), "nodes[0].id: expected 0, found 1"),
        ((Node(0, "A", "op", 0, next=(None, Edge(1, 0))),), (), "nodes[0].next[1].node: there is no node 1"),
        ((Node(0, "A", "op", 0, next=(Edge(-1, 0),)),), (), "nodes[0].next[0].node: there is no node -1"),
        ((Node(0, "A", "op", 0),), (Edge(0, -2),), "roots[0].input_nr: expected 0 or more, found -2"),
        ((), (Edge(0, 0),), "roots[0].node: there is no node 0"),
    ],
)
def test_a_wrong_graph_names_the_field(nodes, roots, says):
    with pytest.raises(ValueError, match=".") as caught:
        Graph(nodes, roots).validate()
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("meta", "text"),
    [
        (TensorMeta((2, 3), "float32", "cpu"), "f32[2,3]"),
        (TensorMeta((), "complex128", "cuda:0"), "c128[]"),
        (TensorMeta((2, "j1", 3), "bfloat16", "meta"), "bf16[2,j1,3]"),
        (TensorMeta(None, "float16", "cpu"), "f16[?]"),
        (TensorMeta((1,), "bool", "cpu"), "b8[1]"),
        (TensorMeta((0,), "float8_e4m3fn", "cpu"), "float8_e4m3fn[0]"),
    ],
)
def test_a_meta_in_short(meta, text):
    assert str(meta) == text


def test_records_are_frozen_compare_by_value_and_are_keys():
    assert graph() == graph()
    assert hash(graph()) == hash(graph())
    assert graph() != Graph(graph().nodes, ())
    with pytest.raises(AttributeError):
        graph().nodes = ()
    for record in (
        Edge(0, 0),
        F32,
        Saved("a"),
        Hook("pre_hook", "f"),
        Source("f.py", 1, "f"),
        Node(0, "A", "op", 0),
    ):
        with pytest.raises(AttributeError):
            setattr(record, record._fields[0], None)
    assert pickle.loads(pickle.dumps(graph())) == graph()


def test_a_source_in_short():
    assert str(Source("a b.py", 3, "f.<locals>.g")) == "a b.py:3 in f.<locals>.g"
