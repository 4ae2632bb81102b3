"""Square roots, and the absolute value, which is one: that of a number times its conjugate.

See ``elementwise.py`` for how a slope gives a gradient and a tangent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions.elementwise import Elementwise, one_tensor, same
from autograd_lab.functions.formula import conj
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor


@rule
class Sqrt(Elementwise):
    r"""The square root.

    .. math:: z = \sqrt x

    At zero the slope is infinite, and a gradient of zero that meets it gives NaN.

    Source: ``sqrt`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "sqrt"
    replaces = {"sqrt": same}
    in_place = {"sqrt_": same}
    gradients = {"self": lambda grad, result: grad / (2 * conj(result))}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.sqrt(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, low=0.1, edges=(0, -0.0, -1, math.inf, math.nan))


@rule
class Rsqrt(Elementwise):
    r"""One over the square root.

    .. math:: z = \frac{1}{\sqrt x}

    Source: ``rsqrt`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "rsqrt"
    replaces = {"rsqrt": same}
    in_place = {"rsqrt_": same}
    gradients = {"self": lambda grad, result: -0.5 * grad * conj(result) ** 3}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.rsqrt(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, low=0.1, edges=(0, -1, math.inf, math.nan))


def real(self: torch.Tensor) -> tuple[Any, ...] | None:
    """The argument of ``abs_``; PyTorch refuses a complex one, whose absolute value isn't complex."""
    return None if self.is_complex() else (self,)


@rule
class Abs(Rule):
    r"""The absolute value, of a real or a complex number.

    .. math:: z = |x|, \qquad \bar x = \bar z \, \operatorname{sgn} x, \qquad
        \dot z = \operatorname{Re}(\dot x^* \operatorname{sgn} x), \qquad \operatorname{sgn} x = x / |x|

    For complex numbers it isn't holomorphic, there is no one slope: the gradient points away from zero, and a step
    changes the absolute value by what it goes in that direction. At zero, where the function has a kink, we take
    :math:`\operatorname{sgn} 0 = 0`.

    Source: ``abs`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "abs"
    replaces = {"abs": same}
    in_place = {"abs_": real}
    formula = {"self": "grad * self.sgn()", "result": "along(self_t, self.sgn())"}
    generate_vmap_rule = True

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.abs(self)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(*inputs)
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        (self,) = ctx.saved_tensors
        return None if grad is None else grad * self.sgn()

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None) -> Any:
        (self,) = ctx.saved_tensors
        return None if self_t is None else along(self_t, self.sgn())

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, edges=(0, -0.0, math.inf, -math.inf, math.nan))
        yield Sample("negative", (tensor((3,), dtype, low=-2, high=-0.5),))


def along(step: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """Returns how far each step goes in a direction of length one, real or complex."""
    product = step.conj() * direction
    return product.real if product.is_complex() else product
