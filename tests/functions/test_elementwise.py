"""What the samples of elementwise rules don't show."""

from __future__ import annotations

import agreement
import pytest
import torch

import autograd_lab as lab
from autograd_lab.functions import rules

CURVES = [("tanh", ()), ("sigmoid", ()), ("gelu", ("none",)), ("gelu", ("tanh",)), ("silu", ())]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("name", "options"), CURVES)
def test_in_half_precision_a_gradient_is_pytorchs_to_the_last_place(name, options, dtype):
    """Relative to each gradient: where a slope cancels, half-precision numbers alone would miss by hundreds."""
    x = torch.linspace(-5, 5, 4001).to(dtype).requires_grad_()
    rule = rules[name]
    grads = [
        torch.autograd.grad(function(x, *options), x, torch.ones_like(x))[0].double()
        for function in (rule.apply, rule.forward)
    ]
    away = (grads[0] - grads[1]).abs() / grads[1].abs().clamp_min(1e-4)
    assert away.max() <= torch.finfo(dtype).eps


def test_only_what_gives_the_slope_is_saved():
    x = torch.ones(2, requires_grad=True)

    def saves(result):
        return [saved.data_ptr() for saved in result.grad_fn.saved_tensors if saved is not None]

    for name in ("exp", "tanh", "sigmoid", "sqrt", "rsqrt", "relu"):
        result = rules[name].apply(x)
        assert saves(result) == [result.data_ptr()], name
    for name, options in (("log", ()), ("abs", ()), ("gelu", ("none",)), ("silu", ())):
        assert saves(rules[name].apply(x, *options)) == [x.data_ptr()], name
    mask = torch.tensor([True, False])
    for name, args in (("where", (mask, x, x)), ("masked_fill", (x, mask, 0.0))):
        assert saves(rules[name].apply(*args)) == [mask.data_ptr()], name


def test_the_gradient_of_a_rectifiers_gradient_is_zero_and_not_missing():
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    (grad,) = torch.autograd.grad(rules["relu"].apply(x).sum(), x, create_graph=True)
    assert torch.autograd.grad(grad.sum(), x)[0].tolist() == [0, 0, 0]


def in_place(name, *args):
    def run(x):
        y = x * 1
        assert getattr(y, f"{name}_")(*args) is y
        return y

    return run


MASK = torch.tensor([True, False, False, True])
IN_PLACE = [
    *(in_place(name) for name in ("exp", "log", "sqrt", "rsqrt", "abs", "tanh", "sigmoid", "relu")),
    in_place("clamp", -1, 1),
    in_place("clamp", torch.zeros(4), torch.ones(4)),
    *(in_place(name, bound) for name in ("clamp_min", "clamp_max") for bound in (0.5, torch.full((4,), 0.5))),
    *(in_place("masked_fill", MASK, value) for value in (2.0, torch.tensor(2.0))),
    lambda x: torch.nn.functional.silu(x * 1, inplace=True),
    lambda x: torch.ops.aten.gelu_(x * 1, approximate="tanh"),
]
SWAPPED_IN_PLACE = {
    "exp_", "log_", "sqrt_", "rsqrt_", "abs_", "tanh_", "sigmoid_", "relu_", "silu_", "gelu_", "clamp_",
    "clamp_.Tensor", "clamp_min_", "clamp_min_.Tensor", "clamp_max_", "clamp_max_.Tensor", "masked_fill_.Scalar",
    "masked_fill_.Tensor",
}  # fmt: skip


def test_every_in_place_form_is_swapped_and_agrees():
    names = [rule.name for rule in rules.values() if SWAPPED_IN_PLACE & {*rule.in_place}]
    assert {form for name in names for form in rules[name].in_place} == SWAPPED_IN_PLACE
    x = torch.tensor([0.25, 0.5, 1.5, 3.0], dtype=torch.float64, requires_grad=True)
    seen = set()
    for step in IN_PLACE:

        def ours(x, step=step):
            with lab.swap(*names) as swap:
                y = step(x)
            assert not swap.left
            seen.update(swap.calls)
            return y

        agreement.agree(ours, step, [x], "in place", [agreement.reverse, agreement.forward])
    assert seen == SWAPPED_IN_PLACE


def test_in_place_what_only_pytorch_does_is_left_to_it():
    mask = torch.tensor([True, False, True])
    z = torch.ones(3, dtype=torch.complex64, requires_grad=True) * 1
    with lab.swap("abs"), pytest.raises(RuntimeError, match="In-place abs is not supported for complex"):
        z.abs_()
    expanded = (torch.ones(1, requires_grad=True) * 1).expand(3)
    with lab.swap("masked_fill") as swap, pytest.warns(UserWarning, match="masked_fill_ on expanded tensors"):
        filled = expanded.masked_fill_(mask, 2.0)
    assert filled.tolist() == [2, 2, 2]
    assert swap.left == {"masked_fill_.Scalar": 1}
