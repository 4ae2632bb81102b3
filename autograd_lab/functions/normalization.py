"""Norms that look at one sample at a time: layer norm, group norm, RMS norm.

Imports torch only. Batch norm is in ``batch_norm.py``. See Note [Standardizing] in ``standardize.py`` for the
derivative that they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from autograd_lab.functions import operands
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import SUBSETS, Sample, needing, tensor
from autograd_lab.functions.standardize import scaled, standardized, through
from autograd_lab.functions.unbroadcast import fit

EPS = 1e-5
"""What is added to a variance, if nobody says otherwise."""


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
        needs_input, _, needs_weight, _, _ = ctx.needs_input_grad
        operands.save(ctx, inputs, (needs_input or needs_weight, False, needs_input, False, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None, None, None
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
