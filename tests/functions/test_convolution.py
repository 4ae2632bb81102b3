"""Convolution in PyTorch's place, on PyTorch's own samples and in modules."""

from __future__ import annotations

import warnings

import agreement
import pytest
import swapped
import torch
from torch import nn
from torch.nn import functional

import autograd_lab as lab

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

RULES = ("convolution",)
ENTRIES = tuple(f"nn.functional.conv{kind}{dims}d" for kind in ("", "_transpose") for dims in (1, 2, 3))

ROOM = 32
"""In roundings of the largest number: sums of up to a thousand products, in another order than PyTorch's."""

MORE_ROOM = {("nn.functional.conv_transpose3d", torch.float32): 512}
"""A gradient of a bias under vmap is a sum of some thousand numbers that cancel down to 0.7: there PyTorch is 218
roundings from the truth, the rule 22."""


WITHOUT_ONEDNN = {("nn.functional.conv3d", torch.float32), ("nn.functional.conv3d", torch.complex64)}
"""On one thread, oneDNN 3.12's kernel for processors with AVX-512 leaves some of the weight's gradient unwritten where
the weight is larger than the gradient of the result (torch 2.13: ``aten::convolution_backward`` itself gives 1e34 for a
weight of 10×11×12 and a stride of 3). The rule's second order has such a convolution, so PyTorch's own kernels are used
here for both."""


def compare(entry, dtype, parts):
    case = (entry.name, dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN", UserWarning)
        with torch.backends.mkldnn.flags(enabled=case not in WITHOUT_ONEDNN):
            return swapped.agree(entry, dtype, RULES, parts, room=MORE_ROOM.get(case, ROOM))


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = compare(entry, dtype, [agreement.reverse])
    assert set(counts) == {"convolution"}
    assert counts["convolution"] > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    compare(entry, dtype, [agreement.reverse, agreement.forward, agreement.mapped])


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9)),
        (nn.Conv2d(4, 4, 3, padding="same", groups=4, bias=False), (2, 4, 6, 5)),
        (nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"), (1, 3, 5, 5)),
        (nn.Conv2d(3, 2, 3), (3, 5, 5)),  # one sample
        (nn.Conv3d(2, 3, 2, dilation=2), (1, 2, 4, 4, 5)),
        (nn.ConvTranspose1d(4, 6, 3, stride=3, output_padding=2, groups=2), (2, 4, 5)),
        (nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1), (1, 3, 4, 4)),
        (nn.ConvTranspose3d(2, 3, 2), (1, 2, 2, 3, 2)),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else str(value),
)
def test_modules_build_one_node_of_the_rule(module, shape):
    module.double()
    x = agreement.noise(torch.empty(shape, dtype=torch.float64), 0).requires_grad_()
    with lab.swap("convolution") as swap:
        graph = lab.capture(module(x))
    assert swap.calls == {"convolution": 1}
    assert len(graph.find("ConvolutionBackward")) == 1

    def ours(x, *parameters):
        with lab.swap("convolution"):
            return native(x, *parameters)

    def native(x, *parameters):
        named = dict(zip(dict(module.named_parameters()), parameters, strict=True))
        return torch.func.functional_call(module, named, (x,))

    parts = (agreement.reverse, agreement.forward)
    agreement.agree(ours, native, (x, *module.parameters()), str(module), parts, room=ROOM)


def test_channels_last():
    x = torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(4, 4, 3, 3).contiguous(memory_format=torch.channels_last).requires_grad_()

    def ours(x, weight):
        with lab.swap("convolution"):
            return functional.conv2d(x, weight)

    assert ours(x, weight).is_contiguous(memory_format=torch.channels_last)
    agreement.agree(ours, functional.conv2d, (x, weight), "channels last", (agreement.reverse,), room=ROOM)


def test_what_torchscript_calls_is_swapped_too():
    x, weight = torch.randn(1, 2, 5, requires_grad=True), torch.randn(3, 2, 2)
    with lab.swap("convolution") as swap:
        y = torch._convolution(x, weight, None, [1], [0], [1], False, [0], 1, False, False, True, True)
    assert y.grad_fn.name() == "ConvolutionBackward"
    assert swap.calls == {"_convolution": 1}
    assert torch.equal(y, functional.conv1d(x, weight))


def test_what_pytorch_refuses_is_refused_in_its_words():
    x = torch.randn(1, 2, 5, requires_grad=True)
    for swap in (lab.swap("sub"), lab.swap("convolution")):
        with (
            swap,
            pytest.raises(RuntimeError, match=r"expected input.* to have 3 channels, but got 2 channels"),
        ):
            functional.conv1d(x, torch.randn(3, 3, 2))
