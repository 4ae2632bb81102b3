"""What the samples of elementwise rules and of selections don't show."""

from __future__ import annotations

import agreement
import pytest
import torch

import autograd_lab as lab
from autograd_lab.functions import clamp, rules

INF, NAN = float("inf"), float("nan")
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
    for place in range(2):
        with torch.autograd.forward_ad.dual_level():
            args = [x, bound]
            args[place] = torch.autograd.forward_ad.make_dual(args[place], torch.ones_like(x))
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
