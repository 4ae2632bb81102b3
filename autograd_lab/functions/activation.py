r"""Activations: what stands between a network's linear layers.

See ``elementwise.py`` for how a slope gives a gradient and a tangent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from autograd_lab.functions.elementwise import Elementwise, one_tensor, same
from autograd_lab.functions.rule import rule
from autograd_lab.functions.samples import Sample


@rule
class Relu(Elementwise):
    r"""The rectifier: what is positive passes, what isn't becomes zero.

    .. math:: z = \max(x, 0)

    At zero, where the function has a kink, we take the slope 0; for NaN, which isn't below zero, 1. The result tells
    the cases apart, so the input needn't be kept. The zeros are put in by selecting, not by multiplying, because
    infinity times zero is NaN. They are the result's signs: so the gradient is still a function of the input, and its
    own gradient is zero rather than missing.

    Source: ``relu`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "relu"
    replaces = {"relu": same}
    in_place = {"relu_": same}
    gradients = {"self": lambda grad, result: torch.where(result <= 0, result.sgn(), grad)}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.relu(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if not dtype.is_complex:
            yield from one_tensor(dtype, edges=(0, -0.0, math.inf, -math.inf, math.nan))


@rule
class Gelu(Elementwise):
    r"""The Gaussian error linear unit: each number times the share of a normal distribution that lies below it.

    .. math:: z = x \, \Phi(x)

    with the normal distribution's share below a number and, in the gradient, its density

    .. math:: \Phi(x) = \tfrac{1}{2} \left(1 + \operatorname{erf} \frac{x}{\sqrt2}\right), \qquad
        \varphi(x) = \Phi'(x) = \frac{1}{\sqrt{2 \pi}} \, e^{-x^2 / 2}

    With ``approximate="tanh"`` the share is approximated:

    .. math:: t = \tanh \left(\sqrt{2 / \pi} \, (x + 0.044715 \, x^3)\right), \qquad
        \Phi(x) \approx \tfrac{1}{2} (1 + t), \qquad
        \varphi(x) \approx \tfrac{1}{2} (1 - t^2) \sqrt{2 / \pi} \, (1 + 0.134145 \, x^2)

    Source: ``GeluBackwardKernelImpl`` in ``aten/src/ATen/native/cpu/Activation.cpp``; Hendrycks and Gimpel, *Gaussian
    Error Linear Units*, arXiv:1606.08415.
    """

    name = "gelu"
    replaces = {"gelu": lambda self, approximate="none": (self, approximate)}
    in_place = {"gelu_": lambda self, approximate="none": (self, approximate)}
    gradients = {
        "self": lambda grad, self, approximate: (
            grad * (share(self, approximate) + self * density(self, approximate))
        ),
    }

    @staticmethod
    def forward(self: torch.Tensor, approximate: str = "none") -> torch.Tensor:
        return torch.nn.functional.gelu(self, approximate=approximate)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if not dtype.is_complex:
            for approximate in ("none", "tanh"):
                for sample in one_tensor(dtype, approximate, edges=(0, -0.0, 10, -10, 60, -60)):
                    yield Sample(f"{approximate} {sample.name}", sample.args, sample.smooth)


def share(x: torch.Tensor, approximate: str) -> torch.Tensor:
    r"""The share of a normal distribution below ``x``, :math:`\Phi(x)`, or GELU's approximation of it."""
    if approximate == "tanh":
        return 0.5 * (1 + _bend(x))
    return 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))


def density(x: torch.Tensor, approximate: str) -> torch.Tensor:
    r"""The normal distribution's density at ``x``, :math:`\varphi(x)`, or the slope of the approximated share."""
    if approximate == "tanh":
        return 0.5 * (1 - _bend(x) ** 2) * (math.sqrt(2 / math.pi) * (1 + 3 * _CUBIC * x * x))
    return torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


_CUBIC = 0.044715


def _bend(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(math.sqrt(2 / math.pi) * (x + _CUBIC * x * x * x))


@rule
class Silu(Elementwise):
    r"""The sigmoid linear unit, or swish: each number times its logistic function.

    .. math:: z = x \, \sigma(x)

    Source: ``infinitely_differentiable_silu_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "silu"
    replaces = {"silu": same}
    in_place = {"silu_": same}
    gradients = {
        "self": lambda grad, self: grad * (sigmoid := self.sigmoid()) * (1 + self * (1 - sigmoid)),
    }

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.silu(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if not dtype.is_complex:
            yield from one_tensor(dtype, edges=(0, -0.0, 30, -30, 80, -80))
