"""Swapping and what is compiled: compiled code is PyTorch's, and nothing of a swap stays in torch's caches."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.function import BackwardCFunction
from torch.fx.experimental.proxy_tensor import make_fx

import autograd_lab as lab
from autograd_lab._torch import dispatch
from autograd_lab.functions import rules


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def function(x):
    return (x * x * x).relu().sum()


def slope(function):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    made = function(x)
    if made.requires_grad:
        made.backward()
    return x.grad


def compiled(way=function):
    """The function, compiled anew: what is compiled is kept by its code."""
    return torch.compile(lambda x: way(x), backend="aot_eager")


WAYS = {
    "compiled": lambda: slope(compiled()),
    "traced": lambda: make_fx(function)(torch.ones(2, requires_grad=True)),
    "traced with fake tensors": lambda: make_fx(function, tracing_mode="symbolic")(
        torch.ones(2, requires_grad=True)
    ),
    "traced with its gradient": lambda: make_fx(slope_of, tracing_mode="fake")(
        torch.ones(2, requires_grad=True)
    ),
    "traced before dispatch": lambda: make_fx(function, pre_dispatch=True)(torch.ones(2, requires_grad=True)),
    "exported": lambda: torch.export.export(Model(), (torch.ones(2),)),
}


def slope_of(x):
    return torch.autograd.grad(function(x), x)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return function(x * self.weight)


def answers():
    """What torch remembers of each operation's kernels, where autograd is concerned."""
    names = [name for rule in rules.values() for name in (*rule.replaces, *rule.in_place)]
    return {
        (name, key, to)
        for name in names
        for key, to in dispatch.operation(name)._dispatch_cache.items()
        if "Autograd" in str(key) and str(key) != "DispatchKey.AutogradOther"
    }


@pytest.mark.parametrize("names", [("mul",), ()])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_compiled_afterwards_has_its_gradients(way, names):
    with lab.swap(*names):
        WAYS[way]()
    assert all(str(to) == "DispatchKey.Autograd" for _, _, to in answers())
    assert torch.equal(slope(compiled()), torch.tensor([3.0, 12.0]))


def test_what_was_compiled_before_does_not_hide_the_rules():
    """Torch remembers, of a trace, which kernel each operation has: not any more, once another is registered."""
    before = slope(compiled())
    with lab.swap("mul") as swapped:
        traced = make_fx(slope_of, pre_dispatch=True)(torch.ones(2, requires_grad=True))
        assert torch.equal(slope(function), before)
    assert swapped.calls["mul.Tensor"] >= 2
    assert traced is not None


def test_compiled_code_is_counted_whenever_it_was_compiled():
    before = compiled()
    slope(before)
    with lab.swap("mul") as swapped, lab.swap("relu") as other:
        within = compiled()
        slopes = [slope(within), slope(within), slope(before)]
        assert torch.equal(slope(function), slopes[0])
    slope(before)
    assert all(torch.equal(each, torch.tensor([3.0, 12.0])) for each in slopes)
    assert (swapped.calls, swapped.left) == ({"mul.Tensor": 2}, {"CompiledFunction": 3})
    assert (other.calls, other.left) == ({"relu": 1}, {"CompiledFunction": 3})
    assert "__init__" not in vars(BackwardCFunction)


def test_code_that_was_compiled_inside_is_pytorchs_afterwards_too():
    with lab.swap():
        within = compiled(lambda x: x.relu())
        slope(lambda x: within(x).sum())
    node = within(torch.ones(2, requires_grad=True)).grad_fn
    assert (
        "threshold_backward" in node._forward_cls._lazy_backward_info.bw_module.code
    )  # not the lab's formula
