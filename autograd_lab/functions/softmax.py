r"""Softmax and its logarithm.

:math:`\sum` is over the dimension along which a softmax sums to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions.precision import wide
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor


def along(self: torch.Tensor, dim: int, half_to_float: bool) -> tuple[Any, ...] | None:
    """The arguments of a softmax; one that changes the dtype as well is PyTorch's."""
    return None if half_to_float else (self, dim)


@rule
class Softmax(Rule):
    r"""Numbers made positive and of sum one.

    .. math:: z = \frac{e^x}{\sum e^x}, \qquad \bar x = z \, \Bigl(\bar z - \sum \bar z \, z\Bigr), \qquad
        \dot z = z \, \Bigl(\dot x - \sum \dot x \, z\Bigr)

    What is added to all :math:`x` alike changes nothing; so the mean of the gradient, weighted by :math:`z`, is taken
    off. The derivative is symmetric: gradient and tangent have one formula. It needs the result only.

    Source: ``_softmax`` in ``tools/autograd/derivatives.yaml``; ``host_softmax_backward`` in
    ``aten/src/ATen/native/SoftMax.cpp``.
    """

    name = "softmax"
    replaces = {"_softmax": along}
    formula = {"self": "centered(grad, result, dim)", "result": "centered(self_t, result, dim)"}
    generate_vmap_rule = True

    @staticmethod
    def forward(self: torch.Tensor, dim: int) -> torch.Tensor:
        return torch.softmax(self, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _save_result(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None
        (result,) = ctx.saved_tensors
        return centered(grad, result, ctx.dim), None

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, _: None) -> Any:
        if self_t is None:
            return None
        (result,) = ctx.saved_tensors
        return centered(self_t, result, ctx.dim)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _samples(dtype)


@rule
class LogSoftmax(Rule):
    r"""The logarithm of a softmax.

    .. math:: z = x - \ln \sum e^x, \qquad \bar x = \bar z - e^z \sum \bar z, \qquad \dot z = \dot x - \sum e^z \dot x

    :math:`e^z` is the softmax itself. The derivative isn't symmetric: what the tangent weighs before it sums, the
    gradient weighs after.

    Source: ``_log_softmax`` in ``tools/autograd/derivatives.yaml``; ``host_softmax_backward`` in
    ``aten/src/ATen/native/SoftMax.cpp``.
    """

    name = "log_softmax"
    replaces = {"_log_softmax": along}
    formula = {
        "self": "grad - result.exp() * grad.sum(dim, True)",
        "result": "self_t - (result.exp() * self_t).sum(dim, True)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(self: torch.Tensor, dim: int) -> torch.Tensor:
        return torch.log_softmax(self, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _save_result(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None
        (result,) = ctx.saved_tensors
        made = wide(grad) - wide(result).exp() * wide(grad).sum(ctx.dim, True)
        return made.to(grad.dtype), None

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, _: None) -> Any:
        if self_t is None:
            return None
        (result,) = ctx.saved_tensors
        made = wide(self_t) - (wide(result).exp() * wide(self_t)).sum(ctx.dim, True)
        return made.to(self_t.dtype)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _samples(dtype)


def centered(change: torch.Tensor, weights: torch.Tensor, dim: int) -> torch.Tensor:
    r"""A gradient or a tangent through a softmax: :math:`z \, (c - \sum c \, z)`."""
    c, z = wide(change), wide(weights)
    return (z * (c - (c * z).sum(dim, True))).to(change.dtype)


def _save_result(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    _, ctx.dim = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_forward(output)
    ctx.save_for_backward(output)


def _samples(dtype: torch.dtype) -> Iterator[Sample]:
    if dtype.is_complex:
        return
    for dim in (0, 1, -1):
        yield Sample(f"dim={dim}", (tensor((2, 3, 2), dtype), dim))
    yield Sample("not contiguous", (tensor((3, 2), dtype).detach().t().requires_grad_(), 1))
    yield Sample("no dimensions", (tensor((), dtype), 0))
    yield Sample("one element", (tensor((2, 1), dtype), 1))
    yield Sample("empty", (tensor((0, 3), dtype), 1))
    yield Sample("far apart", (tensor((2, 3), dtype, low=-10, high=10), 1), smooth=False)
    masked = torch.tensor([[1, -torch.inf, 2], [0, 0, -torch.inf]], dtype=dtype, requires_grad=True)
    yield Sample("minus infinity", (masked, 1), smooth=False)
