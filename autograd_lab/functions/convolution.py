r"""Convolutions, plain and transposed, in one, two and three dimensions.

Note [Three convolutions]
A convolution is linear in the input and in the weight. In one dimension, with stride :math:`s`, padding :math:`p` and
dilation :math:`d`,

.. math:: z_{noq} = \sum_{i,k} x_{ni,\,sq+dk-p} \; w_{oik}

so that :math:`x_{nij}`, :math:`w_{oik}` and :math:`z_{noq}` meet where :math:`j = sq + dk - p`. Its two gradients sum
the same products over other indices:

.. math:: \bar x_{nij} = \sum_{o,\,sq+dk-p=j} \bar z_{noq} \; w_{oik}, \qquad
    \bar w_{oik} = \sum_{n,q} x_{ni,\,dk+sq-p} \; \bar z_{noq}

The first is the *transposed* convolution of :math:`\bar z` with the same weight: each output hands back what it took.
The second is again a convolution, of :math:`x` with :math:`\bar z` as the weight: batch and channels have changed
places (it sums over :math:`n`), and so have stride and dilation (:math:`q` now runs over the taps, :math:`k` over the
positions).

A transposed convolution is the first of these two, so its gradient for the input is a plain convolution, and in its
gradient for the weight input and gradient change places. Nothing else is needed, in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions import operands
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import SUBSETS, Sample, needing, tensor
from autograd_lab.functions.shapes import Sizes, others, per_channel, spread


def given(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    *_backends: bool,
) -> tuple[Any, ...]:
    """The arguments of a convolution, without the choice of a backend."""
    dims = input.dim() - 2
    stride, padding, dilation = (spread(sizes, dims) for sizes in (stride, padding, dilation))
    return input, weight, bias, stride, padding, dilation, transposed, spread(output_padding, dims), groups


@rule
class Convolution(Rule):
    r"""A convolution, or a transposed one, with a bias for each channel.

    .. math:: z = x * w + b, \qquad \bar x = \bar z *^{\mathsf T} w, \qquad
        \bar w = x^{\leftrightarrow} * \bar z^{\leftrightarrow}, \qquad \bar b = \sum \bar z, \qquad
        \dot z = \dot x * w + x * \dot w + \dot b

    :math:`*^{\mathsf T}` is the transposed convolution, and :math:`\leftrightarrow` exchanges batch and channels; the
    sum is over all but the channels. See Note [Three convolutions]. Care is taken of what a stride leaves over at the
    end: those elements of the input get zero, and a tap too many of the weight is cut off.

    Source: ``convolution_backward`` and ``_convolution_double_backward`` in
    ``aten/src/ATen/native/Convolution.cpp``; ``convolution_jvp`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "convolution"
    replaces = {"convolution": given, "_convolution": given}
    formula = {
        "input": "input_grad(grad, weight, input.shape, stride, padding, dilation, transposed, groups)",
        "weight": "weight_grad(grad, input, weight.shape, stride, padding, dilation, transposed, groups)",
        "bias": "grad.sum(others(grad))",
        "result": "torch.convolution("
        "input_t, weight, None, stride, padding, dilation, transposed, output_padding, groups) + torch.convolution("
        "input, weight_t, bias_t, stride, padding, dilation, transposed, output_padding, groups)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        input: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: Sizes,
        padding: Sizes,
        dilation: Sizes,
        transposed: bool,
        output_padding: Sizes,
        groups: int,
    ) -> torch.Tensor:
        return torch.convolution(
            input, weight, bias, stride, padding, dilation, transposed, output_padding, groups
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        operands.save(ctx, inputs, (True, True, *(False,) * 7), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return (None,) * 9
        x, weight, _, stride, padding, dilation, transposed, _, groups = operands.saved(ctx)
        needs_input, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        how = (stride, padding, dilation, transposed, groups)
        return (
            input_grad(grad, weight, ctx.likes[0].shape, *how) if needs_input else None,
            weight_grad(grad, x, ctx.likes[1].shape, *how) if needs_weight else None,
            grad.sum(others(grad)) if needs_bias else None,
            *(None,) * 6,
        )

    @staticmethod
    def jvp(
        ctx: Any,
        input_t: torch.Tensor | None,
        weight_t: torch.Tensor | None,
        bias_t: torch.Tensor | None,
        *_: None,
    ) -> Any:
        x, weight, _, *how = operands.saved(ctx)
        return operands.tangent(
            ctx,
            None if input_t is None else torch.convolution(input_t, weight, None, *how),
            None if weight_t is None else torch.convolution(x, weight_t, None, *how),
            per_channel(bias_t, x),
        )

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:  # PyTorch makes three real convolutions of a complex one
            return
        yield from _plain(dtype)
        yield from _transposed(dtype)
        x, (weight, bias), how = tensor((2, 2, 4), dtype), _kernel((3, 2, 2), 3, dtype), _how(1)
        for needs in SUBSETS:
            yield Sample(f"needs {needs}", (*needing((x, weight, bias), needs), *how))
        yield Sample("without bias", (x, weight, None, *how))
        # Not by finite differences: gradcheck wants a gradient that depends on something, and this one is just zero.
        yield Sample("an empty batch", (tensor((0, 2, 4), dtype), weight, bias, *how), smooth=False)
        turned = tensor((4, 2, 2), dtype).detach().permute(2, 1, 0).requires_grad_()
        yield Sample("not contiguous", (turned, weight, bias, *how))


def input_grad(
    grad: torch.Tensor,
    weight: torch.Tensor,
    shape: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    groups: int,
) -> torch.Tensor:
    """The gradient of the input: each output hands back what it took. See Note [Three convolutions].

    Args:
        grad: The gradient of the result.
        weight: The weight.
        shape: The input's.
        stride: As in the forward, like the rest.
        padding: Likewise.
        dilation: Likewise.
        transposed: Whether the forward was a transposed convolution.
        groups: Likewise.

    Returns:
        A gradient of the input's shape.
    """
    if transposed:
        made = torch.convolution(grad, weight, None, stride, padding, dilation, False, [0], groups)
        return cut(made, shape)
    sizes = zip(shape[2:], grad.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    left_over = [x - (s * (z - 1) + d * (w - 1) + 1 - 2 * p) for x, z, w, s, p, d in sizes]
    return torch.convolution(grad, weight, None, stride, padding, dilation, True, left_over, groups)


def weight_grad(
    grad: torch.Tensor,
    input: torch.Tensor,
    shape: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    groups: int,
) -> torch.Tensor:
    """The gradient of the weight: batch and channels exchanged, and stride and dilation. See Note [Three convolutions].

    Args:
        grad: The gradient of the result.
        input: The input.
        shape: The weight's.
        stride: As in the forward, like the rest.
        padding: Likewise.
        dilation: Likewise.
        transposed: Whether the forward was a transposed convolution.
        groups: Likewise.

    Returns:
        A gradient of the weight's shape.
    """
    if input.shape[0] == 0:  # a sum over no samples, which PyTorch's convolution gets the shape of wrong
        return grad.new_zeros(shape)
    x, z = (grad, input) if transposed else (input, grad)
    made = torch.convolution(
        exchanged(x, groups), exchanged(z, 1), None, dilation, padding, stride, False, [0], groups
    )
    return cut(exchanged(made, 1), shape)


def exchanged(value: torch.Tensor, groups: int) -> torch.Tensor:
    """Batch and channels exchanged, within each group: ``[N, G * C, ...]`` becomes ``[C, G * N, ...]``."""
    batch, channels, *sizes = value.shape
    grouped = value.reshape(batch, groups, channels // groups, *sizes)
    return grouped.transpose(0, 2).reshape(channels // groups, groups * batch, *sizes)


def cut(value: torch.Tensor, shape: Sizes) -> torch.Tensor:
    """Returns the part that fits into a shape, from the beginning of each dimension."""
    for dim, size in enumerate(shape):
        value = value.narrow(dim, 0, size)
    return value


def _how(dims: int, **changes: Any) -> tuple[Any, ...]:
    """The arguments after the bias; numbers stand for all dimensions."""
    how = {"stride": 1, "padding": 0, "dilation": 1, "transposed": False, "output_padding": 0, "groups": 1}
    how |= changes
    lists = ("stride", "padding", "dilation", "output_padding")
    return tuple([value] * dims if name in lists else value for name, value in how.items())


def _kernel(shape: tuple[int, ...], outputs: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return tensor(shape, dtype, seed=1), tensor((outputs,), dtype, seed=2)


def _plain(dtype: torch.dtype) -> Iterator[Sample]:
    for dims in (1, 2, 3):
        kernel = _kernel((2, 2, *(2,) * dims), 2, dtype)
        yield Sample(f"{dims}d", (tensor((1, 2, *(3,) * dims), dtype), *kernel, *_how(dims)))
    x, kernel = tensor((2, 2, 6), dtype), _kernel((3, 2, 2), 3, dtype)
    for changes in (
        {"stride": 2, "padding": 1},
        {"stride": 3},  # two elements are left over
        {"dilation": 2, "padding": 2},
        {"stride": 2, "dilation": 3, "padding": 1},
    ):
        text = ", ".join(f"{name} {value}" for name, value in changes.items())
        yield Sample(text, (x, *kernel, *_how(1, **changes)))
    for outputs in (2, 4):
        kernel = _kernel((outputs, 1, 2), outputs, dtype)
        yield Sample(f"2 groups, {outputs} channels", (x, *kernel, *_how(1, groups=2, stride=2)))
    uneven = (tensor((1, 1, 4, 5), dtype), *_kernel((2, 1, 1, 2), 2, dtype))
    yield Sample("uneven", (*uneven, [1, 2], [0, 1], [1, 2], False, [0, 0], 1))


def _transposed(dtype: torch.dtype) -> Iterator[Sample]:
    for dims in (1, 2, 3):
        kernel = _kernel((2, 2, *(2,) * dims), 2, dtype)
        how = _how(dims, transposed=True, stride=2, output_padding=1)
        yield Sample(f"transposed {dims}d", (tensor((1, 2, *(2,) * dims), dtype), *kernel, *how))
    x = tensor((2, 2, 3), dtype)
    for groups, changes in (
        (1, {}),
        (1, {"dilation": 2, "output_padding": 1}),  # more padding than a stride
        (1, {"stride": 3, "padding": 1, "dilation": 2, "output_padding": 2}),
        (2, {"stride": 2, "padding": 1}),
    ):
        text = ", ".join(f"{name} {value}" for name, value in {"groups": groups, **changes}.items())
        kernel = _kernel((2, 2, 2), 2 * groups, dtype)
        yield Sample(f"transposed, {text}", (x, *kernel, *_how(1, transposed=True, groups=groups, **changes)))
