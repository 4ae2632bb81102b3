"""Norms over the last dimensions of each sample: layer norm, RMS norm.

See Note [Standardizing] in ``standardize.py`` for the derivative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from autograd_lab.functions import operands
from autograd_lab.functions.formula import conj
from autograd_lab.functions.precision import wide
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import SUBSETS, Sample, needing, tensor
from autograd_lab.functions.standardize import EPS, scaled, standardized, through
from autograd_lab.functions.unbroadcast import fit


def _without_cudnn(
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = EPS,
    _cudnn_enable: bool = True,
) -> tuple[Any, ...]:
    """The arguments of a norm; on the CPU the last one means nothing."""
    return input, normalized_shape, weight, bias, eps


@rule
class LayerNorm(Rule):
    r"""Layer norm: each sample standardized over its last dimensions, then scaled and shifted element by element.

    .. math:: z = \gamma \, \hat x + \beta, \qquad \hat x = \frac{x - \mu}{\sigma}, \qquad
        \sigma^2 = \frac{1}{n} \sum_i (x_i - \mu)^2 + \epsilon

    With :math:`g = \bar z \, \gamma`, and :math:`\langle \cdot \rangle` for the mean over the last dimensions,

    .. math:: \bar x = \frac{1}{\sigma} \bigl(g - \langle g \rangle - \hat x \, \langle g \, \hat x \rangle\bigr),
        \qquad \bar \gamma = \sum \bar z \, \hat x, \qquad \bar \beta = \sum \bar z

    .. math:: \dot z = \frac{\gamma}{\sigma}
        \bigl(\dot x - \langle \dot x \rangle - \hat x \, \langle \dot x \, \hat x \rangle\bigr)
        + \dot \gamma \, \hat x + \dot \beta

    The sums are over the samples. The statistics depend on :math:`x`: see Note [Standardizing].

    Source: ``layer_norm_backward_kernel`` in ``aten/src/ATen/native/cpu/layer_norm_kernel.cpp``; ``layer_norm_jvp``,
    ``layer_norm_double_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "layer_norm"
    replaces = {"layer_norm": _without_cudnn}
    formula = {
        "input": "through(scaled(grad, weight), *standardized(input, last(normalized_shape), eps), "
        "last(normalized_shape))",
        "weight": "(grad * standardized(input, last(normalized_shape), eps)[0]).sum_to_size(weight.shape)",
        "bias": "grad.sum_to_size(bias.shape)",
        "result": "through(input_t, *standardized(input, last(normalized_shape), eps), last(normalized_shape))"
        " * weight + standardized(input, last(normalized_shape), eps)[0] * weight_t + bias_t",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        input: torch.Tensor,
        normalized_shape: Sequence[int],
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        eps: float = EPS,
    ) -> torch.Tensor:
        return torch.layer_norm(input, normalized_shape, weight, bias, eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        operands.save(ctx, inputs, (True, False, True, True, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None, None, None
        grad = wide(grad)
        x, normalized_shape, weight, _, eps = operands.saved(ctx)
        needs_input, _, needs_weight, needs_bias, _ = ctx.needs_input_grad
        dims = last(normalized_shape)
        if needs_input or needs_weight:
            normal, scale = standardized(x, dims, eps)
        return (
            fit(through(scaled(grad, weight), normal, scale, dims), ctx.likes[0]) if needs_input else None,
            None,
            fit(grad * normal, ctx.likes[2]) if needs_weight else None,
            fit(grad, ctx.likes[3]) if needs_bias else None,
            None,
        )

    @staticmethod
    def jvp(
        ctx: Any,
        input_t: torch.Tensor | None,
        _shape: None,
        weight_t: torch.Tensor | None,
        bias_t: torch.Tensor | None,
        _eps: None,
    ) -> Any:
        x, normalized_shape, weight, _, eps = operands.saved(ctx)
        dims = last(normalized_shape)
        normal, scale = standardized(x, dims, eps)
        return operands.tangent(
            ctx,
            None if input_t is None else scaled(through(input_t, normal, scale, dims), weight),
            None if weight_t is None else normal * weight_t,
            bias_t,
        )

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        for shape, normalized in (((4, 3), (3,)), ((2, 3, 4), (3, 4)), ((5,), (5,)), ((0, 3), (3,))):
            yield Sample(f"{list(shape)} over {list(normalized)}", _affine(shape, normalized, dtype))
        x, normalized_shape, weight, bias, eps = _affine((2, 3, 4), (4,), dtype)
        yield Sample("without weight and bias", (x, normalized_shape))
        yield Sample("without bias", (x, normalized_shape, weight))
        yield Sample("a large eps", (x, normalized_shape, weight, bias, 0.5))
        yield Sample("not contiguous", (_strided((2, 3, 4), dtype), normalized_shape, weight, bias, eps))
        for needs in SUBSETS:
            first, *others = needing((x, weight, bias), needs)
            yield Sample(f"needs {needs}", (first, normalized_shape, *others, eps))


@rule
class RMSNorm(Rule):
    r"""RMS norm: each sample divided by the root of the mean of its squares over the last dimensions, then scaled.

    .. math:: z = \gamma \, \hat x, \qquad \hat x = \frac{x}{r}, \qquad r^2 = \frac{1}{n} \sum_i x_i^2 + \epsilon

    With :math:`g = \bar z \, \gamma^*`, and :math:`\langle \cdot \rangle` for the mean over the last dimensions,

    .. math:: \bar x = \frac{1}{r^*} \bigl(g - \hat x^* \, \langle g \, \hat x^* \rangle\bigr), \qquad
        \bar \gamma = \sum \bar z \, \hat x^*, \qquad
        \dot z = \frac{\gamma}{r} \bigl(\dot x - \hat x \, \langle \dot x \, \hat x \rangle\bigr)
        + \dot \gamma \, \hat x

    A layer norm that leaves the mean where it is: of the two projections in Note [Standardizing] one is left. Complex
    numbers are squared as they are, without their absolute values, so the local derivatives stand conjugated in the
    gradients. Without an :math:`\epsilon` it's the unit roundoff of the dtype computed in.

    Source: ``infinitely_differentiable_native_rms_norm_backward`` and ``rms_norm_jvp`` in
    ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "rms_norm"
    replaces = {"rms_norm": lambda *given: given}
    formula = {
        "input": "through_root(grad * conj(weight), *map(conj, over_root(input, last(normalized_shape), eps)), "
        "last(normalized_shape))",
        "weight": "(grad * conj(over_root(input, last(normalized_shape), eps)[0])).sum_to_size(weight.shape)",
        "result": "through_root(input_t, *over_root(input, last(normalized_shape), eps), last(normalized_shape))"
        " * weight + over_root(input, last(normalized_shape), eps)[0] * weight_t",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        input: torch.Tensor,
        normalized_shape: Sequence[int],
        weight: torch.Tensor | None = None,
        eps: float | None = None,
    ) -> torch.Tensor:
        return torch.rms_norm(input, normalized_shape, weight, eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        needs_input, _, needs_weight, _ = ctx.needs_input_grad
        operands.save(ctx, inputs, (needs_input or needs_weight, False, needs_input, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return (None,) * 4
        grad = wide(grad)
        x, normalized_shape, weight, eps = operands.saved(ctx)
        needs_input, _, needs_weight, _ = ctx.needs_input_grad
        dims = last(normalized_shape)
        normal, scale = map(conj, over_root(x, dims, eps))
        slope = grad if weight is None else grad * conj(weight)
        return (
            fit(through_root(slope, normal, scale, dims), ctx.likes[0]) if needs_input else None,
            None,
            fit(grad * normal, ctx.likes[2]) if needs_weight else None,
            None,
        )

    @staticmethod
    def jvp(
        ctx: Any, input_t: torch.Tensor | None, _shape: None, weight_t: torch.Tensor | None, _eps: None
    ) -> Any:
        x, normalized_shape, weight, eps = operands.saved(ctx)
        dims = last(normalized_shape)
        normal, scale = over_root(x, dims, eps)
        return operands.tangent(
            ctx,
            None if input_t is None else scaled(through_root(input_t, normal, scale, dims), weight),
            None if weight_t is None else normal * weight_t,
        )

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for shape, normalized in (((3, 3), (3,)), ((2, 2, 3), (2, 3)), ((4,), (4,)), ((0, 3), (3,))):
            x, normalized_shape, weight, _, eps = _affine(shape, normalized, dtype)
            yield Sample(f"{list(shape)} over {list(normalized)}", (x, normalized_shape, weight, eps))
        x, normalized_shape, weight, _, _ = _affine((2, 2, 3), (3,), dtype)
        yield Sample("without weight", (x, normalized_shape))
        yield Sample("without eps", (x, normalized_shape, weight))
        yield Sample("small, without eps", (tensor((2, 3), dtype, low=-1e-3, high=1e-3), [3], weight))
        yield Sample("a large eps", (x, normalized_shape, weight, 0.5))
        yield Sample("not contiguous", (_strided((2, 2, 3), dtype), normalized_shape, weight, 0.1))
        for needs in ((True, False), (False, True)):
            first, second = needing((x, weight), needs)
            yield Sample(f"needs {needs}", (first, normalized_shape, second, 0.1))


def over_root(input: torch.Tensor, dims: list[int], eps: float | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Divides numbers by the root of the mean of their squares.

    Args:
        input: Any shape.
        dims: The dimensions over which numbers stand together.
        eps: Is added to the mean of the squares; by default the dtype's unit roundoff.

    Returns:
        The numbers, and what they were multiplied with, with size 1 in ``dims``.
    """
    x = wide(input)
    squares = (x * x).mean(dims, keepdim=True)
    scale = torch.rsqrt(squares + (torch.finfo(x.dtype).eps if eps is None else eps))
    return x * scale, scale


def through_root(
    value: torch.Tensor, normal: torch.Tensor, scale: torch.Tensor, dims: list[int]
) -> torch.Tensor:
    """Takes a gradient (all else conjugated) or a tangent through `over_root`."""
    passed: torch.Tensor = scale * (value - normal * (value * normal).mean(dims, keepdim=True))
    return passed


def last(normalized_shape: Sequence[int]) -> list[int]:
    """The dimensions that a shape names, counted from the end."""
    return list(range(-len(normalized_shape), 0))


def _affine(shape: tuple[int, ...], normalized: tuple[int, ...], dtype: torch.dtype) -> tuple[Any, ...]:
    return (
        tensor(shape, dtype),
        list(normalized),
        tensor(normalized, dtype, seed=1),
        tensor(normalized, dtype, seed=2),
        EPS,
    )


def _strided(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """A leaf whose last two dimensions are swapped in memory."""
    return tensor((*shape[:-2], shape[-1], shape[-2]), dtype).detach().mT.requires_grad_()
