"""What tensors are called: parameters, ties, buffers, inputs, intermediates; and what isn't taken as a name."""

from __future__ import annotations

import pytest
import torch
from models import backward, leaf_tensors, leaves, shared
from torch import nn

import autograd_lab as lab
from autograd_lab.capture.graph import live
from autograd_lab.errors import GraphError


def test_leaves_are_called_as_the_model_and_the_user_call_them(built):
    """Every name that a leaf has, the model's first; the others are numbered in the engine's order."""
    graph, nodes = live(built.outputs, model=built.model, names=built.names)
    known = [
        *(built.model.named_parameters(remove_duplicate=False) if built.model else ()),
        *(built.names or {}).items(),
    ]
    unnamed = 0
    for record, node in zip(graph.nodes, nodes, strict=True):
        if not hasattr(node, "variable"):
            assert (record.variable, record.aliases) == (None, ())
            continue
        names = [name for name, tensor in known if tensor is node.variable]
        if not names:
            names = [f"leaf{unnamed}"]
            unnamed += 1
        assert (record.variable, *record.aliases) == tuple(names)
    assert len({leaf.variable for leaf in graph.leaves}) == len(leaf_tensors(built.outputs))


def test_tied_parameters_show_every_name():
    built = shared("tied_embedding")
    (leaf,) = lab.capture(built.outputs, model=built.model).leaves
    assert (leaf.variable, leaf.aliases) == ("embedding.weight", ("out.weight",))
    extra = {"mine": built.model.out.weight, "out.weight": built.model.out.weight}
    (leaf,) = lab.capture(built.outputs, model=built.model, names=extra).leaves
    assert (leaf.variable, leaf.aliases) == ("embedding.weight", ("out.weight", "mine"))


def test_one_module_in_two_places():
    shared_layer = nn.Linear(2, 2)
    model = nn.Sequential(shared_layer, nn.ReLU(), shared_layer)
    graph = lab.capture(model(torch.ones(1, 2)).sum(), model=model)
    assert {(leaf.variable, *leaf.aliases) for leaf in graph.leaves} == {
        ("0.weight", "2.weight"),
        ("0.bias", "2.bias"),
    }


def test_unnamed_leaves_pass_over_names_that_are_taken():
    a, b, c, d = leaves(4, 2)
    loss = torch.cat([a, b, c, d]).sum()
    graph = lab.capture(loss, names={"leaf0": c, "leaf2": torch.ones(1)})
    found = {leaf.variable for leaf in graph.leaves}
    assert found == {"leaf0", "leaf1", "leaf3", "leaf4"}
    numbered = [leaf.variable for leaf in graph.leaves if leaf.variable != "leaf0"]
    assert numbered == ["leaf1", "leaf3", "leaf4"]


def test_unnamed_leaves_keep_their_names_from_capture_to_capture():
    loss = shared("leaves_tied").outputs
    first = [leaf.variable for leaf in lab.capture(loss).leaves]
    assert first == [f"leaf{i}" for i in range(23)]
    backward(loss)
    assert [leaf.variable for leaf in lab.capture(loss).leaves] == first


def test_buffers_and_inputs_are_named_where_they_are_saved():
    built = shared("cnn")
    graph = lab.capture(built.outputs, model=built.model, names=built.names)
    assert {saved.variable for node in graph.find("Convolution") for saved in node.saved} >= {"x", "0.weight"}
    assert {saved.variable for node in graph.find("BatchNorm") for saved in node.saved} >= {
        "1.running_mean",
        "1.running_var",
    }


def test_an_input_that_requires_a_gradient_is_a_leaf():
    model = nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    graph = lab.capture(model(x), model=model, names={"x": x})
    assert {leaf.variable for leaf in graph.leaves} == {"weight", "bias", "x"}


def test_intermediates_are_named_on_every_edge_that_carries_them():
    (x,) = leaves(1, 3)
    y = x.exp()
    loss = (y * y).sum() + y.sum()
    graph = lab.capture(loss, names={"y": y, "total": loss})
    named = [(graph.node(node).name, slot, edge.name) for node, slot, edge in graph.edges if edge.name]
    assert sorted(named) == [("MulBackward0", 0, "y"), ("MulBackward0", 1, "y"), ("SumBackward0", 0, "y")]
    assert [root.name for root in graph.roots] == ["total"]


def test_several_results_of_one_node_have_names_of_their_own():
    first, second, third = leaves(1, 3, 2)[0].unbind(0)
    graph = lab.capture((first * third).sum(), names={"first": first, "second": second, "third": third})
    assert {(edge.input_nr, edge.name) for _, _, edge in graph.edges if edge.name} == {
        (0, "first"),
        (2, "third"),
    }


def test_two_names_of_one_intermediate_are_both_shown():
    (x,) = leaves(1, 2)
    y = x.exp()
    graph = lab.capture(y.sum(), names={"y": y, "also": y})
    assert graph.nodes[0].next[0].name == "y, also"


def test_names_on_roots_that_are_leaves():
    built = shared("one_leaf")
    graph = lab.capture(built.outputs, names=built.names)
    assert [(node.variable, graph.roots[0].node) for node in graph.nodes] == [("x", 0)]


def test_a_view_and_its_base_have_names_of_their_own():
    built = shared("in_place_on_views")
    graph = lab.capture(built.outputs, names=built.names)
    assert {edge.name for _, _, edge in graph.edges} == {None, "base", "view"}


def test_names_that_are_no_part_of_the_graph_do_nothing():
    (x,) = leaves(1, 2)
    loss = x.sum()
    stranger = {"other": torch.ones(3), "third": leaves(1, 2)[0].exp()}
    assert lab.capture(loss, names=stranger) == lab.capture(loss)


def test_names_may_be_any_mapping():
    from types import MappingProxyType

    (x,) = leaves(1, 2)
    assert lab.capture(x.sum(), names=MappingProxyType({"x": x})).leaves[0].variable == "x"


def test_a_models_own_buffers_are_names_even_when_they_are_intermediates():
    model = nn.Module()
    (x,) = leaves(1, 2)
    model.register_buffer("state", x.exp())
    assert lab.capture(model.state.sum(), model=model).nodes[0].next[0].name == "state"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"model": 3}, "model is an int; pass a torch.nn.Module, or tensors as names={…}"),
        ({"model": {"w": torch.ones(1)}}, "model is a dict; pass a torch.nn.Module"),
        ({"model": nn.Linear}, "model is a type; pass a torch.nn.Module"),
        ({"names": [3]}, "names is a list; pass a mapping from name to tensor"),
        ({"names": torch.ones(1)}, "names is a Tensor; pass a mapping"),
        ({"names": {"a": 3}}, "names['a'] is an int; give a tensor"),
        ({"names": {"a": None}}, "names['a'] is None; give a tensor"),
        ({"names": {3: torch.ones(1)}}, "names has the key 3; names are texts"),
        (
            {"model": nn.Linear(1, 1), "names": {"weight": torch.ones(1)}},
            "names['weight'] is another tensor than the model's 'weight'; give one of them another name",
        ),
        (
            {"model": nn.BatchNorm1d(1), "names": {"running_mean": torch.ones(1)}},
            "names['running_mean'] is another tensor than the model's 'running_mean'",
        ),
    ],
)
def test_wrong_models_and_names_get_one_line(arguments, says):
    with pytest.raises(GraphError) as caught:
        lab.capture(shared("seed").outputs, **arguments)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_name_may_repeat_the_models_own():
    model = nn.Linear(1, 1)
    graph = lab.capture(model(torch.ones(1)), model=model, names={"weight": model.weight})
    assert {(leaf.variable, leaf.aliases) for leaf in graph.leaves} == {("weight", ()), ("bias", ())}
