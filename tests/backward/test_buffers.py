"""What an input buffer makes of gradients of every pair of layouts, against the native engine."""

from __future__ import annotations

import itertools

import pytest
import torch
from gradients import Gradient, kinds, numbers, quiet

import autograd_lab as lab
from autograd_lab.backward.bits import same_bits

KINDS = kinds()
DENSE = ("strided float32", "columns", "expanded", "noting", "two tensors", "wrapper", "zero tensor")
SPARSE = ("coalesced float32", "not coalesced float32", "hybrid float32", "expanded values", "nothing stored")
MIXED = ({"noting", "two tensors"}, {"noting", "wrapper"})
"""Left out: whether a wrapper's own code meets the other's ``__torch_function__`` depends on who called it."""
PAIRS = [
    *(pair for pair in itertools.product(SPARSE + DENSE, repeat=2) if set(pair) not in MIXED),
    *[(name, name) for name in ("sparse_csr float32", "mkldnn")],
]


def sums(run, pair, *, create_graph):
    """What two gradients make together, or the exception that they cause."""
    kinds_of_both = [KINDS[name] for name in pair]
    with quiet():
        first = kinds_of_both[0].make()
        like = first if pair[0] == pair[1] and pair[0] in ("sparse_csr float32", "mkldnn") else numbers()
        leaf = like.detach().requires_grad_()
        seen = []
        passed = Passed.apply(leaf)
        passed.register_hook(seen.append)
        loss = Gradient.apply(passed, kinds_of_both[0].make) + Gradient.apply(passed, kinds_of_both[1].make)
        try:
            return run(loss, leaf, create_graph), *seen
        except RuntimeError as error:
            return str(error)


class Passed(torch.autograd.Function):
    """Passes on what comes; its buffer takes the same gradients as the leaf's."""

    @staticmethod
    def forward(ctx, leaf):
        return leaf.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad


def native(loss, leaf, create_graph):
    loss.backward(create_graph=create_graph)
    return leaf.grad


def glass(loss, leaf, create_graph):
    return lab.replay(loss, names={"leaf": leaf}, create_graph=create_graph).grads["leaf"]


@pytest.mark.parametrize("create_graph", [False, True], ids=["", "create_graph"])
@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_sums_are_the_native_engines_bit_for_bit(pair, create_graph):
    ours, theirs = (sums(run, pair, create_graph=create_graph) for run in (glass, native))
    if isinstance(theirs, str):
        assert ours == theirs
    else:
        assert all(map(same_bits, ours, theirs))
        assert [strides(grad) for grad in ours] == [strides(grad) for grad in theirs]


def strides(grad):
    return grad.stride() if type(grad) is torch.Tensor and grad.layout is torch.strided else None
