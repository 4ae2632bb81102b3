"""What ``retain_grad`` would write, left alone, whoever holds the tensor."""

from __future__ import annotations

import functools

import pytest
import torch

import autograd_lab as lab


def graph(had, *, slots=False):
    """A result that retains its gradient, is saved by nobody, and has had one already or not."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    if slots:
        y, other = (x * 3).split(1)
        other.retain_grad()
    else:
        y, other = x * 3, torch.zeros(1)
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    loss = (y + 1).sum() + (other * 2).sum()
    if had:
        loss.backward(retain_graph=True)
        x.grad = None
    return loss, x, y, other


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("slots", [False, True])
@pytest.mark.parametrize("had", [False, True])
def test_a_replay_leaves_a_retained_gradient_alone(had, slots, create_graph):
    loss, x, y, other = graph(had, slots=slots)
    were, bits = (y.grad, other.grad if slots else None), y.grad.tolist() if had else None
    trace = lab.replay(loss, names={"x": x}, create_graph=create_graph)
    assert trace.grads["x"].tolist() == ([15.0, 6.0] if slots else [15.0, 15.0])
    assert y.grad is were[0]
    assert not slots or other.grad is were[1]
    if had:
        assert (y.grad.tolist(), y.grad.requires_grad, y.grad.grad_fn) == (bits, False, None)


@pytest.mark.parametrize("slots", [False, True])
def test_a_function_s_retained_gradient_too(slots):
    class Splits(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x[:1] * 3, x[1:] * 3

        @staticmethod
        def backward(ctx, first, second):
            return torch.cat([first, second.clone(memory_format=torch.contiguous_format)]) * 3

    x = torch.ones(2, requires_grad=True)
    first, second = Splits.apply(x)
    for each in (first, second) if slots else (first,):
        each.retain_grad()
    trace = lab.replay((first + second).sum(), names={"x": x})
    assert trace.grads["x"].tolist() == [3.0, 3.0]
    assert (first.grad, second.grad if slots else None) == (None, None)
    lab.replay((first + second).sum(), accumulate=True)
    assert first.grad.tolist() == [1.0]


HOOKS = {
    "clone": lambda g: g.clone(memory_format=torch.contiguous_format),
    "sum": lambda g: g + torch.ones(2),
    "written in C": functools.partial(torch.mul, torch.full((2,), 2.0)),
    "control flow": lambda g: torch.cond(torch.tensor(True), torch.sin, torch.cos, (g,)),
}


@pytest.mark.parametrize("hook", list(HOOKS))
def test_what_hooks_compute_is_theirs(hook):
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.register_hook(HOOKS[hook])
    loss = (y * 2).sum()
    (expected,) = torch.autograd.grad(loss, x, retain_graph=True)
    y.grad = None
    assert lab.replay(loss, names={"x": x}).grads["x"].tolist() == expected.tolist()
    assert y.grad is None


def test_nobody_is_looked_for(monkeypatch):
    """Among all that is alive: that takes long, and other threads' unfinished tuples are there."""
    import gc

    def refused(*_):
        raise AssertionError("a scan of all objects")

    monkeypatch.setattr(gc, "get_objects", refused)
    monkeypatch.setattr(gc, "get_referrers", refused)
    loss, x, y, _ = graph(had=True)
    y.register_hook(lambda g: None)
    y.grad_fn.register_prehook(lambda g: None)
    assert len(lab.replay(loss, names={"x": x}).grads) == 1
    assert lab.Engine(loss, names={"x": x}).run().grads["x"].tolist() == [15.0, 15.0]
