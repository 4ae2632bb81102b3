"""Sum, Mean, Var and Amax in PyTorch's place, on PyTorch's own samples."""

from __future__ import annotations

import warnings

import agreement
import pytest
import swapped
import torch

import autograd_lab as lab

RULES = ("sum", "mean", "var", "amax")
ENTRIES = ("sum", "sum_to_size", "mean", "var", "amax")
ROOM = {"var": 16}
"""Roundings of the largest number. A second derivative of a variance is a sum of 25 numbers of up to
80 that cancel; PyTorch adds them in another order."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    room = ROOM.get(entry.name, 0)
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], room=room)
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    parts = [agreement.reverse, agreement.forward, agreement.mapped]
    swapped.agree(entry, dtype, RULES, parts, room=ROOM.get(entry.name, 0))


def test_composites_come_through_and_a_deviation_stays_pytorchs():
    x = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    with lab.swap(*RULES) as swap:
        names = [y.grad_fn.name() for y in (x.var(), x.var(0, unbiased=False), torch.std(x), x.logsumexp(0))]
    assert names == ["VarBackward", "VarBackward", "StdBackward0", "LogsumexpBackward0"]
    assert swap.calls == {"var.correction": 2}


def test_a_variance_of_too_few_has_pytorchs_gradient():
    x = torch.tensor([[1.0], [2.0]], requires_grad=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="var.*degrees of freedom")
        agreement.agree(swap_var, lambda t: t.var(1), [x], "var of one", [agreement.reverse])


def swap_var(t):
    with lab.swap("var"):
        return t.var(1)
