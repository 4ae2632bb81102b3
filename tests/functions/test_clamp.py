"""What the samples of ``clamp`` don't show: gradients on bounds, and where PyTorch's own fail."""

from __future__ import annotations

import agreement
import pytest
import torch

import autograd_lab as lab
from autograd_lab.functions import clamp, rules

INF, NAN = float("inf"), float("nan")


def between(x, low, high):
    """``clamp`` by other operations; the same away from the bounds."""
    return torch.minimum(torch.maximum(x, low), high)


def tensor_bounds():
    samples = rules["clamp"].samples(torch.float64)
    return [
        sample
        for sample in samples
        if sample.smooth and all(isinstance(bound, torch.Tensor) for bound in sample.args[1:])
    ]


@pytest.mark.parametrize("sample", tensor_bounds(), ids=lambda sample: sample.name)
def test_clamp_between_tensors_under_vmap_is_minimum_of_maximum(sample):
    agreement.agree(rules["clamp"].apply, between, sample.args, "clamp", [agreement.mapped])


def test_clamp_between_tensors_of_different_shapes_has_the_gradient_that_pytorch_does_not_reach():
    x = torch.tensor([0.5, -2.0, 2.0], requires_grad=True)
    low, high = torch.full((3,), -1.0), torch.ones(2, 3)
    with lab.swap("clamp"):
        swapped = torch.clamp(x, low, high)
    (grad,) = torch.autograd.grad(swapped.sum(), x)
    assert grad.tolist() == [2.0, 0.0, 0.0]
    loss = torch.clamp(x, low, high).sum()
    if clamp.KINKS.shared:  # from 2.14 on PyTorch reaches it, too
        assert torch.equal(torch.autograd.grad(loss, x)[0], grad)
        return
    with pytest.raises(RuntimeError, match="output with shape"):
        loss.backward()


@pytest.mark.parametrize("missing", [None, "min", "max"])
def test_on_tensor_bounds_a_clamps_gradients_are_pytorchs(missing):
    x, low, high = (
        torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
        for numbers in (
            (-INF, -1, 0, 1, INF, NAN, 0, -3, 2, 1, 0, 0),
            (-1, -1, 0, 1, 0, 0, 1, 1, 1, 1, NAN, -1),
            (0, 0, 0, 1, 0, 0, -1, 1, 1, 1, 1, NAN),
        )
    )
    args = [x, None if missing == "min" else low, None if missing == "max" else high]
    agreement.agree(rules["clamp"].apply, torch.clamp, args, "clamp", [agreement.reverse])


def slopes(function, x, bound):
    """For each input its gradient and its tangent, of steps of one in all elements."""
    leaves = [x.clone().requires_grad_(), bound.clone().requires_grad_()]
    found = list(torch.autograd.grad(function(*leaves).sum(), leaves))
    for index in range(2):
        with torch.autograd.forward_ad.dual_level():
            args = [x, bound]
            args[index] = torch.autograd.forward_ad.make_dual(args[index], torch.ones_like(x))
            found.append(torch.autograd.forward_ad.unpack_dual(function(*args)).tangent)
    return [each.tolist() for each in found]


@pytest.mark.parametrize("bound", ["min", "max"])
def test_on_a_tensor_bound_a_clamps_tangent_is_on_its_gradients_side(bound):
    x, on = torch.tensor([1.0, 2.0, float("nan")]), torch.tensor([1.0, 2.0, 0.0])

    def ours(x, on):
        return rules["clamp"].apply(x, on, None) if bound == "min" else rules["clamp"].apply(x, None, on)

    x_grad, on_grad, x_tangent, on_tangent = slopes(ours, x, on)
    assert (x_grad, on_grad) == (x_tangent, on_tangent)
    native = slopes(lambda x, on: torch.clamp(x, **{bound: on}), x, on)
    assert native[:2] == [x_grad, on_grad]
    if clamp.KINKS.shared:
        assert native[2:] == [
            [0.5, 0.5, 0],
            [0.5, 0.5, 1],
        ]  # of NaN, the bound gets it here, and x its gradient
    else:  # its tangent goes to the bound, though its gradient goes to x
        assert native[2:] == [[0, 0, 0], [1, 1, 1]]


def test_the_choice_on_a_bound_is_the_installed_pytorchs():
    x, on = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    (of_number,) = torch.autograd.grad(torch.clamp(x, max=0), x)
    of_tensor = torch.autograd.grad(torch.clamp(x, max=on), (x, on))
    assert clamp.KINKS.open == (of_number.item() == 0)
    assert clamp.KINKS.shared == ([each.item() for each in of_tensor] == [0.5, 0.5])


@pytest.mark.parametrize("kinks", [clamp.Kinks(False, False), clamp.Kinks(True, True)], ids=["2.13", "2.14"])
def test_each_of_the_choices_that_pytorch_made(monkeypatch, kinks):
    """On a number, on a tensor, on both of two that are equal; as PyTorch 2.13.0 and 2.14.1 gave it."""
    monkeypatch.setattr(clamp, "KINKS", kinks)
    values = (
        torch.zeros(3, requires_grad=True),
        torch.zeros(3, requires_grad=True),
        torch.ones(3, requires_grad=True),
    )
    x, low, high = values

    def gradients(*args):
        result = rules["clamp"].apply(*args)
        found = torch.autograd.grad(result.sum(), [v for v in args if isinstance(v, torch.Tensor)])
        return [grad[0].item() for grad in found]

    new = kinks.open
    assert gradients(x, 0.0, 1.0) == [0.0 if new else 1.0]
    assert gradients(x, low, high) == ([0.5, 0.5, 0.0] if new else [1.0, 0.0, 0.0])
    assert gradients(x, low, torch.zeros(3, requires_grad=True)) == [1.0, 0.0, 0.0]  # all three equal
