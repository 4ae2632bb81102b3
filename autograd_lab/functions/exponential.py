"""The exponential and its kin: logarithm, hyperbolic tangent, logistic function.

Each slope is a short formula of the result, or of the input: that is what is saved. See ``elementwise.py`` for how a
gradient and a tangent come of a slope.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from autograd_lab.functions.elementwise import Elementwise, one_tensor, same
from autograd_lab.functions.formula import conj
from autograd_lab.functions.rule import rule
from autograd_lab.functions.samples import Sample


@rule
class Exp(Elementwise):
    r"""The exponential: the function that is its own slope.

    .. math:: z = e^x

    Source: ``exp`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "exp"
    replaces = {"exp": same}
    in_place = {"exp_": same}
    gradients = {"self": lambda grad, result: grad * conj(result)}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.exp(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, edges=(0, 1000, -1000, math.inf, -math.inf, math.nan))


@rule
class Log(Elementwise):
    r"""The natural logarithm.

    .. math:: z = \ln x

    At zero the slope is infinite. A negative real number has no logarithm, the result is NaN; its gradient is
    :math:`1 / x` all the same.

    Source: ``log`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "log"
    replaces = {"log": same}
    in_place = {"log_": same}
    gradients = {"self": lambda grad, self: grad / conj(self)}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.log(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, low=0.1, edges=(0, -0.0, -1, math.inf, math.nan))


@rule
class Tanh(Elementwise):
    r"""The hyperbolic tangent.

    .. math:: z = \tanh x

    Far from zero the result rounds to ±1, and the gradient is zero: the node is saturated.

    Source: ``tanh_backward`` in ``aten/src/ATen/native/BinaryOps.cpp``; ``tanh`` in
    ``tools/autograd/derivatives.yaml``.
    """

    name = "tanh"
    replaces = {"tanh": same}
    in_place = {"tanh_": same}
    gradients = {"self": lambda grad, result: grad * (1 - conj(result) * conj(result))}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, edges=(0, 50, -50, math.inf, -math.inf, math.nan))


@rule
class Sigmoid(Elementwise):
    r"""The logistic function.

    .. math:: z = \frac{1}{1 + e^{-x}}

    The slope is at most a quarter, and zero where the result rounds to one.

    Source: ``sigmoid_backward`` in ``aten/src/ATen/native/BinaryOps.cpp``; ``sigmoid`` in
    ``tools/autograd/derivatives.yaml``.
    """

    name = "sigmoid"
    replaces = {"sigmoid": same}
    in_place = {"sigmoid_": same}
    gradients = {"self": lambda grad, result: grad * conj(result) * (1 - conj(result))}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, edges=(0, 50, -50, math.inf, -math.inf, math.nan))
