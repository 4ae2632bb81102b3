"""What the samples of selections don't show."""

from __future__ import annotations

import pytest
import torch

from autograd_lab.functions import rules

INF = float("inf")


def test_what_was_not_chosen_gets_nothing_of_an_infinite_gradient():
    x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
    mask = torch.tensor([True, False])
    for name, args in (
        ("where", (mask, x, y)),
        ("masked_fill", (x, ~mask, 0.0)),
        ("clamp", (x * 2, y, y + mask)),
    ):
        result = rules[name].apply(*args)
        grads = torch.autograd.grad(result, (x, y), torch.full((2,), INF), allow_unused=True)
        assert not any(grad is not None and grad.isnan().any() for grad in grads), name


def test_where_of_real_and_complex_has_the_gradient_that_pytorch_refuses():
    mask = torch.tensor([True, False, True])
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([1j, 2j, 3j], dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(rules["where"].apply, (mask, x, y))
    with pytest.raises(
        RuntimeError, match="input_is_complex"
    ):  # if this fails, torch is mended: make it a sample
        torch.where(mask, x, y).abs().sum().backward()
