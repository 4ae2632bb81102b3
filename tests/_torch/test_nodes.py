"""What a live node says of itself: names without their namespace, sizes as plain data, running one by hand."""

from __future__ import annotations

import torch
from models import Several, leaves, live_nodes, shared

from autograd_lab._torch import nodes


def test_a_name_has_no_namespace():
    found = {nodes.name(node) for node in live_nodes(shared("in_place_on_views").outputs)}
    assert {"CopySlices", "AccumulateGrad"} <= found
    assert not [name for name in found if ":" in name or " " in name]
    assert nodes.name(Several.apply(*leaves(1, 2))[0].grad_fn) == "SeveralBackward"


def test_types_of_operations_are_looked_up_once_and_users_classes_are_not_kept():
    def make():
        class Mine(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, grad):
                return grad * 2

        return Mine.apply(*leaves(1, 2)).grad_fn

    exp = leaves(1, 2)[0].exp().grad_fn
    assert nodes.type_of(exp) is nodes.type_of(leaves(1, 3)[0].exp().grad_fn)
    before = len(nodes._TYPES)
    assert nodes.type_of(make()) == nodes.type_of(make())
    assert len(nodes._TYPES) == before


def test_every_dtype_has_a_name():
    for dtype in {value for value in vars(torch).values() if isinstance(value, torch.dtype)}:
        assert getattr(torch, nodes.dtype_name(dtype)) is dtype


def test_gradient_edges_are_torchs_own():
    (x,) = leaves(1, 4)
    first, second = x.split(2)
    for tensor in (x, x.exp(), second, first, Several.apply(x, x)[1]):
        expected = torch.autograd.graph.get_gradient_edge(tensor)
        assert nodes.gradient_edge(tensor) == (expected.node, expected.output_nr)


def test_a_gradient_edge_costs_no_operation():
    """Counted by torch's own counter: the helper in torch makes a view of what a Python Function returned."""
    output = Several.apply(*leaves(2, 2))[0]
    before = torch._C._autograd._get_sequence_nr()
    nodes.gradient_edge(output)
    assert torch._C._autograd._get_sequence_nr() == before
