"""NllLoss and MseLoss in PyTorch's place, on PyTorch's own samples of them and of the cross entropy."""

from __future__ import annotations

import agreement
import pytest
import swapped
import torch
from torch.nn import functional

import autograd_lab as lab

RULES = ("nll_loss", "mse_loss", "log_softmax")
ENTRIES = ("nn.functional.nll_loss", "nn.functional.cross_entropy", "nn.functional.mse_loss")
ROOM = 16
"""In ulps. A tangent of a cross entropy is a sum of numbers that cancel."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], ROOM)
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
# PyTorch's own mse_loss warns so in its backward, under a vmap over one of its operands:
@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward, agreement.mapped], ROOM)


def step(loss, *values):
    """The loss and the gradients of what requires one, with and without the rules."""

    def run():
        made = loss(*values)
        return [made.detach(), *torch.autograd.grad(made, agreement.leaves(values), agreement.noise(made, 1))]

    wanted = run()
    with lab.swap(*RULES) as swap:
        found = run()
    for one, other in zip(found, wanted, strict=True):
        agreement.assert_same(one, other, "loss", room=4)
    assert not swap.left
    return swap.calls


SCORES = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(4, 3).requires_grad_()
TARGET = torch.tensor([2, 0, 1, 1])
WEIGHT = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_every_kind_of_cross_entropy_stays_right(reduction):
    classes = {"reduction": reduction, "weight": WEIGHT}
    assert step(lambda x: functional.cross_entropy(x, TARGET, ignore_index=1, **classes), SCORES) == {
        "_log_softmax": 1,
        "nll_loss_nd": 1,
    }
    smoothed = step(lambda x: functional.cross_entropy(x, TARGET, label_smoothing=0.1, **classes), SCORES)
    assert smoothed == {"_log_softmax": 1, "nll_loss_nd": 1}
    likely = torch.softmax(SCORES.detach().flip(0), 1).requires_grad_()
    assert step(lambda x, y: functional.cross_entropy(x, y, **classes), SCORES, likely) == {"_log_softmax": 1}


def test_each_entrance_of_the_likelihood_is_swapped():
    image, places = SCORES.detach().reshape(2, 3, 2, 1).requires_grad_(), TARGET.reshape(2, 2, 1)
    assert step(torch.ops.aten.nll_loss, SCORES, TARGET) == {"nll_loss": 1}
    assert step(torch.ops.aten.nll_loss2d, image, places) == {"nll_loss2d": 1}
    assert step(functional.nll_loss, SCORES, TARGET.to(torch.uint8)) == {"nll_loss_nd": 1}


def test_all_ignored_has_no_mean_but_a_gradient_of_zero():
    nothing = torch.full((4,), -100)
    with lab.swap(*RULES):
        loss = functional.nll_loss(SCORES, nothing)
    assert loss.isnan()
    assert not torch.autograd.grad(loss, SCORES)[0].any()
    assert not torch.autograd.grad(functional.nll_loss(SCORES, nothing), SCORES)[0].any()


@pytest.mark.parametrize(
    ("target", "weight"), [(TARGET, WEIGHT.clone().requires_grad_()), (TARGET + 1, None)]
)
def test_what_pytorch_refuses_is_refused_in_its_words(target, weight):
    with pytest.raises((RuntimeError, IndexError)) as native:
        functional.nll_loss(SCORES, target, weight)
    with lab.swap(*RULES), pytest.raises(native.type) as ours:
        functional.nll_loss(SCORES, target, weight)
    assert str(ours.value) == str(native.value)
