"""LayerNorm, BatchNorm, GroupNorm and RMSNorm in PyTorch's place, on PyTorch's own samples and in modules."""

from __future__ import annotations

import copy

import agreement
import pytest
import swapped
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

import autograd_lab as lab
from autograd_lab.functions import rules

RULES = ("layer_norm", "batch_norm", "group_norm", "rms_norm")
ENTRIES = tuple(f"nn.functional.{name}" for name in (*RULES, "instance_norm"))

ROOM = {("nn.functional.group_norm", torch.float64): 512}
"""In roundings of the largest number; 16 for the others, since what goes through a norm nearly cancels. In a group of
three numbers close together it cancels more: there PyTorch's first gradient is 100 roundings from the truth, the rule's
65, on the other side."""

ULPS = {("nn.functional.layer_norm", dtype): 512 for dtype in swapped.DOUBLE_AND_SINGLE}
"""A norm over one or two numbers has a derivative of zero, or nearly: all that's left are roundings, of numbers that
were multiplied with 1 / sqrt(eps) = 316. Over one number the rule's second gradient is 0, PyTorch's 285 roundings."""


def ways(entry, values):
    """How a sample is compared in the sweep; all ways but where PyTorch itself fails.

    - A batch norm that updates running statistics under vmap: PyTorch refuses it where these aren't batched.
    - A layer norm over one number in float16: PyTorch overflows, 316³ being more than 65504, and its second order and
      its tangents are NaN. The rule computes in single precision.
    """
    x, *others = values
    if any(isinstance(v, torch.Tensor) and not v.requires_grad for v in others):
        return [agreement.reverse, agreement.forward]
    if (entry.name, x.dtype, x.shape) == ("nn.functional.layer_norm", torch.float16, (1,)):
        return [agreement.mapped]
    return [agreement.reverse, agreement.forward, agreement.mapped]


def compare(entry, dtype, parts):
    case = (entry.name, dtype)
    return swapped.agree(entry, dtype, RULES, parts, ULPS.get(case, agreement.ULPS), ROOM.get(case, 16))


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    (count,) = compare(entry, dtype, [agreement.reverse]).values()
    assert count > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    compare(entry, dtype, lambda values: ways(entry, values))


def test_where_pytorch_itself_fails_it_still_does():
    """The exceptions in ``ways``. If this fails, torch is mended: drop them."""
    x, one = torch.randn(3, 4, 2), torch.ones(1, dtype=torch.float16, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"running_mean or running_var.* were not batched"):
        torch.vmap(lambda t: functional.batch_norm(t, torch.zeros(2), torch.ones(2), training=True))(x)
    found = agreement.reverse(lambda t, w, b: torch.layer_norm(t, [1], w, b), [one, one, one])
    assert any(t.isnan().any() for t in found)
    found = agreement.reverse(lambda t, w, b: rules["layer_norm"].apply(t, [1], w, b), [one, one, one])
    assert not any(t.isnan().any() for t in found)


MODULES = [
    (nn.LayerNorm(4), "LayerNormBackward"),
    (nn.RMSNorm(4), "RMSNormBackward"),
    (nn.GroupNorm(3, 6), "GroupNormBackward"),
    (nn.BatchNorm1d(6), "BatchNormBackward"),
]


@pytest.mark.parametrize(("module", "name"), MODULES, ids=lambda value: getattr(value, "_get_name", str)())
def test_modules_build_the_rules_nodes(module, name):
    x = torch.randn(2, 6, 4, requires_grad=True)
    with lab.swap(*RULES) as swap:
        assert module(x).grad_fn.name() == name
        functional.instance_norm(x)
    assert swap.calls["batch_norm"] == (2 if isinstance(module, nn.BatchNorm1d) else 1)
    assert not swap.left


@pytest.mark.parametrize(
    "module",
    [
        nn.BatchNorm1d(3),
        nn.BatchNorm2d(3, affine=False),
        nn.BatchNorm3d(3, momentum=None),  # the mean over all steps
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        nn.InstanceNorm1d(3),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_running_statistics_are_updated_once_a_step_and_as_pytorch_does(module, dtype):
    # In half precision parameters and statistics stay in single, as under autocast.
    module = module.train().to(dtype if dtype == torch.float64 else torch.float32)
    ours, native = copy.deepcopy(module), copy.deepcopy(module)
    shape = (4, 3, *(4,) * (3 if "3d" in str(module) else 2 if "2d" in str(module) else 1))
    for step in range(3):
        x = agreement.noise(torch.empty(shape, dtype=dtype), step).requires_grad_()
        with lab.swap("batch_norm") as swap:
            found = ours(x)
        assert swap.calls == {"batch_norm": 1}
        wanted = native(x)
        assert torch.equal(found, wanted)
        for buffer, other in zip(ours.buffers(), native.buffers(), strict=True):
            assert torch.equal(buffer, other)
        weights = agreement.noise(found, 7)
        grads, others = (torch.autograd.grad(y, [x, *m.parameters()], weights) for y, m in
                         ((found, ours), (wanted, native)))  # fmt: skip
        for one, other in zip(grads, others, strict=True):
            agreement.assert_same(one, other, str(module), room=16)
    before = [buffer.clone() for buffer in ours.buffers()]
    with lab.swap("batch_norm"):
        found = ours.eval()(x)
    assert torch.equal(found, native.eval()(x))
    assert all(torch.equal(*pair) for pair in zip(before, ours.buffers(), strict=True))


def test_what_pytorch_refuses_is_refused_in_its_words_and_the_statistics_stay():
    x = torch.randn(4, 3, requires_grad=True)
    mean, var = torch.zeros(3), torch.ones(3)
    for swap in (lab.swap("sub"), lab.swap("batch_norm")):
        with swap, pytest.raises(RuntimeError, match="weight should contain 3 elements not 2"):
            functional.batch_norm(x, mean, var, torch.ones(2), None, training=True)
        with swap, pytest.raises(RuntimeError, match="running_mean must be defined in evaluation mode"):
            functional.batch_norm(x, None, None)
    assert mean.tolist() == [0, 0, 0]
    assert var.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "shape", "rest"),
    [
        ("layer_norm", (4, 3), lambda bias: ([3], None, bias)),
        ("group_norm", (4, 3, 2), lambda bias: (1, None, bias)),
        ("batch_norm", (4, 3), lambda bias: (None, bias, None, None, True, 0.1, 1e-5)),
    ],
)
def test_a_bias_without_a_weight(name, shape, rest):
    """PyTorch's own double backward raises here, so that finite differences are the judge."""
    rule = rules[name]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def ours(x, bias):
        arguments = rest(bias)
        return rule.apply(x, *arguments)

    assert gradcheck(ours, (x, bias), check_forward_ad=True)
    assert gradgradcheck(ours, (x, bias))
    with pytest.raises(RuntimeError):  # if this fails, torch is mended: make it a sample of the rule
        agreement.reverse(lambda x, bias: rule.forward(x, *rest(bias)), (x, bias))
