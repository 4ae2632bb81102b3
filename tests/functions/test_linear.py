"""Mm, Addmm, Bmm and Linear in PyTorch's place, on PyTorch's own samples of them and of what comes to them."""

from __future__ import annotations

import itertools

import agreement
import pytest
import swapped
import torch

import autograd_lab as lab

RULES = ("mm", "addmm", "bmm", "linear")
ENTRIES = (
    "mm",
    "addmm",
    "bmm",
    "nn.functional.linear",
    "matmul",
    "__rmatmul__",
    "einsum",
    "linalg.multi_dot",
)
ROOM = 16
"""Roundings of the largest number. The samples are numbers of up to 9, 25 products to a sum, which BLAS adds in
another order if a factor lies in memory otherwise."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], room=ROOM)
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward, agreement.mapped], room=ROOM)


def test_a_gradient_lies_in_memory_as_its_input_does():
    """As PyTorch's does, so that a parameter's is kept as it comes. See Note [Laid out alike]."""
    row, column = torch.rand(3, 4).requires_grad_(), torch.rand(4, 3).t().detach().requires_grad_()

    def strides(function, *factors):
        made = function(*factors)
        return [grad.stride() for grad in torch.autograd.grad(made, factors, torch.ones_like(made))]

    for one, other in itertools.product((row, column), (row.detach().t(), column.detach().t())):
        other.requires_grad_()
        bias = torch.rand(3, requires_grad=True)
        wanted = strides(torch.mm, one, other), strides(torch.addmm, bias, one, other)
        with lab.swap(*RULES):
            found = strides(torch.mm, one, other), strides(torch.addmm, bias, one, other)
        assert found == wanted


def test_in_place_forms_and_layers_of_every_rank_are_swapped():
    layer, x = torch.nn.Linear(4, 3), torch.rand(2, 5, 4)
    with lab.swap(*RULES) as swap:
        names = [layer(each).grad_fn.name() for each in (x, x[0], x[0, 0])]
        made = layer.bias.expand(5, 3).clone().addmm_(x[0], layer.weight.t(), beta=2)
    assert names == ["LinearBackward"] * 3
    assert torch.allclose(made, 2 * layer.bias + x[0] @ layer.weight.t())
    assert dict(swap.calls) == {"linear": 3, "addmm_": 1}


def test_under_vmap_a_composite_comes_apart_before_the_swap_and_its_parts_are_swapped():
    """See Note [What a swap leaves to PyTorch]."""
    x, weight = torch.rand(2, 3, 4, requires_grad=True), torch.rand(2, 5, 4)
    with lab.swap("linear", "mm", "bmm") as swap:
        torch.vmap(torch.nn.functional.linear)(x, weight)
    assert dict(swap.calls) == {"bmm": 1}
