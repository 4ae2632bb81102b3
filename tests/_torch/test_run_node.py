"""Running one node, apart from any backward."""

from __future__ import annotations

import pytest
import torch
from models import Several, leaves

from autograd_lab._torch import nodes
from autograd_lab._torch.run_node import run_node


@pytest.mark.parametrize("make", [lambda x: x * 3, lambda x: Several.apply(x, x)[1]], ids=["op", "function"])
def test_running_a_node_by_hand_frees_nothing_and_calls_no_hook(make):
    (x,) = leaves(1, 2)
    y = make(x)
    y.grad_fn.register_hook(lambda *grads: pytest.fail("called"))
    grads = [torch.ones(2)] * len(nodes.input_metadata(y.grad_fn))
    first, second = (run_node(y.grad_fn, grads) for _ in range(2))
    assert isinstance(first, tuple)
    assert len(first) == len(y.grad_fn.next_functions)
    assert torch.equal(first[0], second[0])
    assert x.grad is None
