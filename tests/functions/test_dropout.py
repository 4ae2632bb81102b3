"""Dropout in PyTorch's place: the same mask from the same seed."""

from __future__ import annotations

import agreement
import pytest
import swapped
import torch
from torch.nn import functional

import autograd_lab as lab

RULES = ("dropout",)
ENTRIES = ("nn.functional.dropout",)


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse])
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_forward_mode_too(entry, dtype):
    swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward])


def outcome(run, seed=3):
    torch.manual_seed(seed)
    x = torch.linspace(1, 2, 24, dtype=torch.float64).reshape(4, 6).requires_grad_()
    made = run(x)
    return [made.detach(), torch.autograd.grad(made.sum(), x)[0], torch.rand(3)]


@pytest.mark.parametrize(
    "run",
    [
        lambda x: functional.dropout(x, 0.3),
        lambda x: functional.dropout(x * 1, 0.3, inplace=True),
        lambda x: functional.dropout(x.t(), 0.9),
        lambda x: functional.dropout(
            x.reshape(1, 4, 3, 2).contiguous(memory_format=torch.channels_last), 0.5
        ),
        lambda x: functional.dropout(x, 1.0),
        lambda x: torch.nn.Dropout(0.5)(x[1:, ::2]),
    ],
)
def test_the_same_seed_drops_the_same_and_leaves_the_generator_alike(run):
    wanted = outcome(run)
    with lab.swap("dropout") as swap:
        found = outcome(run)
    assert sum(swap.calls.values()) == 1
    assert not swap.left
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)
    assert not wanted[0].all()


def test_what_drops_nothing_gives_back_its_input():
    x, none = torch.ones(3, requires_grad=True), torch.ones(0, requires_grad=True)
    with lab.swap("dropout") as swap:
        assert functional.dropout(x, 0.5, training=False) is x
        assert functional.dropout(x, 0.0) is x
        assert functional.dropout(none, 0.5) is none
        with pytest.raises(ValueError, match="has to be between 0 and 1"):
            functional.dropout(x, 1.5)
        with pytest.raises(RuntimeError, match="has to be between 0 and 1"):
            torch.dropout(x, 1.5, True)
    assert not swap.calls
    assert not swap.left
