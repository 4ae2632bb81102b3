"""What a leaf's node makes of a gradient: stolen, copied or added, and with which layout."""

from __future__ import annotations

import models
import pytest
import torch

import autograd_lab as lab

LEAVES = {
    "plain": lambda: torch.randn(2, 3),
    "one element": lambda: torch.randn(1),
    "a row": lambda: torch.randn(1, 3),
    "none": lambda: torch.randn(0, 3),
    "transposed": lambda: torch.randn(3, 2).t(),
    "channels last": lambda: torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
    "with gaps": lambda: torch.randn(2, 6)[:, ::2],
    "overlapping": lambda: torch.randn(3).expand(2, 3),
    "no dimensions": lambda: torch.randn(()),
}
USES = {
    "sum": lambda w: w.sum(),
    "twice": lambda w: (w * w).sum(),
    "scaled": lambda w: (w * 3).sum(),
    "contiguous": lambda w: w.contiguous().exp().sum(),
    "also elsewhere": lambda w: (w * 3 + w).sum(),
    "mean": lambda w: w.mean(),
}


@pytest.mark.parametrize("use", list(USES))
@pytest.mark.parametrize("leaf", list(LEAVES))
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_how_and_with_which_layout_is_as_natively(leaf, use, create_graph):
    w = LEAVES[leaf]().requires_grad_()
    loss = USES[use](w)
    glass = lab.replay(loss, names={"w": w}, create_graph=create_graph)
    real = lab.trace(loss, names={"w": w}, retain_graph=True, create_graph=create_graph)
    assert glass.steps[-1].accumulation.how == real.steps[-1].accumulation.how
    assert models.raw_bytes(glass.grads["w"]) == models.raw_bytes(w.grad)
    assert glass.grads["w"].stride() == w.grad.stride()
    w.grad = None


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_with_accumulate_gradients_add_up_as_natively(create_graph):
    leaves = []
    for run in (
        lambda loss: loss.backward(retain_graph=True, create_graph=create_graph),
        lambda loss: lab.replay(loss, accumulate=True, create_graph=create_graph),
    ):
        torch.manual_seed(1)
        w = torch.randn(3, requires_grad=True)
        loss = (w.exp() * w).sum()
        run(loss)
        first = w.grad
        run(loss)
        assert (w.grad is first) is not create_graph
        leaves.append(w)
    assert models.raw_bytes(leaves[0].grad) == models.raw_bytes(leaves[1].grad)
    assert leaves[1].grad.requires_grad is create_graph
    for w in leaves:
        w.grad = None


def test_the_trace_says_what_was_in_grad_before_and_after():
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    w.grad = torch.tensor([0.0, 1.0])
    step = lab.replay(w.sum(), accumulate=True).steps[-1]
    assert step.accumulation.how == "added"
    assert (step.accumulation.before.norm, step.accumulation.after.norm) == (1.0, pytest.approx(5**0.5))
