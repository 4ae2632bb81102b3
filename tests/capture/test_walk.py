"""Which nodes there are and where their edges lead, against torchviz, ``next_functions`` and a real backward."""

from __future__ import annotations

import warnings

import pytest
import torch
import torchviz
from models import CASES, backward, flat, leaves, live_nodes, shared
from torch.autograd.graph import get_gradient_edge

import autograd_lab as lab
from autograd_lab.capture.graph import live

TAKEN = [case for case in CASES.values() if case.not_torchviz is None]
NOT_TAKEN = [case for case in CASES.values() if case.not_torchviz is not None]


def drawn_by_torchviz(outputs):
    """Gives the ids of the nodes that torchviz draws; what isn't a node, a tensor, it fills with a colour."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "distutils Version classes", DeprecationWarning)
        dot = torchviz.make_dot(tuple(flat(outputs)))
    lines = [line.strip() for line in dot.body if "[label=" in line and "->" not in line]
    return {line.split()[0] for line in lines if "fillcolor" not in line}


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
def test_the_nodes_are_those_that_torchviz_draws(case):
    outputs = shared(case.name).outputs
    graph, nodes = live(outputs)
    assert {str(id(node)) for node in nodes} == drawn_by_torchviz(outputs)
    assert len(graph) == len(nodes)


@pytest.mark.parametrize("case", NOT_TAKEN, ids=lambda case: case.name)
def test_torchviz_cannot_take_the_others(case):
    """So that a model that it learns to take is moved up."""
    outputs = shared(case.name).outputs
    try:
        drawn = drawn_by_torchviz(outputs)
    except (AttributeError, RuntimeError):
        return
    assert drawn != {str(id(node)) for node in live_nodes(outputs)}


def test_the_nodes_are_those_of_an_own_walk(built):
    """Of the models that torchviz can't take too."""
    _, nodes = live(built.outputs)
    assert len(nodes) == len(set(nodes))
    assert set(nodes) == set(live_nodes(built.outputs))


def test_edges_are_kept_slot_by_slot(built):
    graph, nodes = live(built.outputs, model=built.model, names=built.names)
    for record, node in zip(graph.nodes, nodes, strict=True):
        found = [(nodes[edge.node], edge.input_nr) if edge else (None, 0) for edge in record.next]
        assert found == list(node.next_functions)


def test_the_registry_has_edges_of_every_kind():
    """What the test above would be worth little without."""
    edges = {
        name: [edge for node in lab.capture(shared(name).outputs).nodes for edge in node.next]
        for name in CASES
    }
    assert None in edges["frozen"]
    assert any(edge and edge.input_nr > 0 for edge in edges["several_results"])
    twice = lab.capture(shared("parallel_edges").outputs).find("StackBackward")[0].next
    assert len(twice) == 3
    assert len(set(twice)) == 1


def test_roots_are_the_outputs_edges_in_their_order(built):
    graph, nodes = live(built.outputs)
    wanted = [get_gradient_edge(tensor) for tensor in flat(built.outputs)]
    assert [(nodes[root.node], root.input_nr) for root in graph.roots] == [
        (edge.node, edge.output_nr) for edge in wanted
    ]


def test_an_output_may_be_any_result_of_a_node():
    first, second, third = leaves(1, 3, 2)[0].unbind(0)
    graph = lab.capture([third, first, third])
    assert [(root.node, root.input_nr) for root in graph.roots] == [(0, 2), (0, 0), (0, 2)]
    nested = lab.capture({"a": (second, [get_gradient_edge(third)])})
    assert [root.name for root in nested.roots] == ["a[0]", "a[1][0]"]
    assert [(root.node, root.input_nr) for root in nested.roots] == [(0, 1), (0, 2)]


def test_names_and_kinds_are_torchs(built):
    graph, nodes = live(built.outputs)
    for record, node in zip(graph.nodes, nodes, strict=True):
        assert record.name == node.name().removeprefix("struct ").removeprefix("torch::autograd::")
        assert record.sequence_nr == node._sequence_nr()
        assert (record.kind == "accumulate") == hasattr(node, "variable") == (record.sequence_nr == 2**64 - 1)
        assert (record.kind in ("function", "compiled")) == isinstance(
            node, torch.autograd.function.BackwardCFunction
        )
        assert record.module is None


def test_compiled_nodes_are_told_apart():
    kinds = {node.name: node.kind for node in lab.capture(shared("compiled").outputs).nodes}
    assert kinds["CompiledFunctionBackward"] == "compiled"
    assert {node.kind for node in lab.capture(shared("custom_function").outputs).nodes} == {
        "op",
        "function",
        "accumulate",
    }


def test_grad_outputs_are_what_flows_in_a_backward(built):
    """Checked in hooks on every node, against what the engine hands over."""
    graph, nodes = live(built.outputs, model=built.model, names=built.names)
    flowed = {}
    handles = [
        node.register_prehook(lambda grads, index=index: flowed.setdefault(index, grads))
        for index, node in enumerate(nodes)
    ]
    backward(built.outputs)
    for handle in handles:
        handle.remove()
    assert set(flowed) == set(range(len(nodes)))
    for record in graph.nodes:
        grads = flowed[record.id]
        assert len(record.grad_outputs) == len(grads)
        for meta, grad in zip(record.grad_outputs, grads, strict=True):
            assert grad is None or meta == meta_of(grad)


def meta_of(tensor):
    """What a record should say of a tensor, found without the lab."""
    strided_nested = tensor.is_nested and tensor.layout is torch.strided
    shape = (
        None
        if strided_nested
        else tuple(size if isinstance(size, int) else str(size) for size in tensor.shape)
    )
    return lab.TensorMeta(shape, str(tensor.dtype).partition(".")[2], str(tensor.device))


def test_shapes_of_every_sort():
    metas = {name: str(lab.capture(shared(name).outputs).nodes[0].grad_outputs[0]) for name in CASES}
    assert metas["nested_strided"] == "f32[?]"
    assert metas["nested_jagged"].startswith("f32[2,j")
    assert metas["a_complex_output"] == "c128[2]"
    assert metas["half"] == "f16[]"
    assert lab.capture(shared("on_meta").outputs).nodes[0].grad_outputs[0].device == "meta"


def test_two_captures_are_equal(built):
    first, second = (lab.capture(built.outputs, model=built.model, names=built.names) for _ in range(2))
    assert first == second
    assert repr(first) == repr(second)


def test_the_graph_of_the_readme():
    """One graph written out, so that every field is seen at least once."""
    built = shared("seed")
    f32 = lab.TensorMeta((), "float32", "cpu")
    nodes = lab.capture(built.outputs, names=built.names).nodes
    assert [(node.name, node.kind, node.grad_outputs, node.next, node.variable) for node in nodes] == [
        ("PowBackward0", "op", (f32,), (lab.Edge(1, 0, "s"),), None),
        ("SubBackward0", "op", (f32,), (lab.Edge(2, 0, "ŷ"), None), None),
        ("MulBackward0", "op", (f32,), (lab.Edge(3, 0), None), None),
        ("AccumulateGrad", "accumulate", (f32,), (), "w"),
    ]
    assert [[(saved.name, saved.value, saved.variable) for saved in node.saved] for node in nodes] == [
        [("exponent", 2, None), ("self", None, "s")],
        [("alpha", 1, None)],
        [("other", None, "x"), ("self", None, None)],
        [],
    ]
