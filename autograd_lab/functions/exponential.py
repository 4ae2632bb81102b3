"""The exponential and its kin: logarithm, hyperbolic tangent, logistic function.

Each slope is a short formula of the result, or of the input: that is what is saved. See ``elementwise.py`` for how a
gradient and a tangent come of a slope.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from autograd_lab.functions.elementwise import Elementwise, one_tensor, same
from autograd_lab.functions.rule import rule
from autograd_lab.functions.samples import Sample


@rule
class Exp(Elementwise):
    r"""The exponential: the function that is its own slope.

    .. math:: z = e^x, \qquad \bar x = \bar z \, z^*, \qquad \dot z = z \, \dot x

    Source: ``exp`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "exp"
    replaces = {"exp": same}
    in_place = {"exp_": same}
    formula = {"self": "grad * result.conj()", "result": "self_t * result"}
    saves = "result"

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.exp(self)

    @staticmethod
    def times_slope(flow: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        return flow * result

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, edges=(0, 1000, -1000, math.inf, -math.inf, math.nan))


@rule
class Log(Elementwise):
    r"""The natural logarithm.

    .. math:: z = \ln x, \qquad \bar x = \bar z / x^*, \qquad \dot z = \dot x / x

    At zero the slope is infinite. A negative real number has no logarithm, the result is NaN; its gradient is
    :math:`1 / x` all the same.

    Source: ``log`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "log"
    replaces = {"log": same}
    in_place = {"log_": same}
    formula = {"self": "grad / self.conj()", "result": "self_t / self"}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.log(self)

    @staticmethod
    def times_slope(flow: torch.Tensor, self: torch.Tensor) -> torch.Tensor:
        return flow / self

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, low=0.1, edges=(0, -0.0, -1, math.inf, math.nan))


@rule
class Tanh(Elementwise):
    r"""The hyperbolic tangent.

    .. math:: z = \tanh x, \qquad \bar x = \bar z \, (1 - z^2)^*, \qquad \dot z = (1 - z^2) \, \dot x

    Far from zero the result rounds to ±1, and the gradient is zero: the node is saturated.

    Source: ``tanh_backward`` in ``aten/src/ATen/native/BinaryOps.cpp``; ``tanh`` in
    ``tools/autograd/derivatives.yaml``.
    """

    name = "tanh"
    replaces = {"tanh": same}
    in_place = {"tanh_": same}
    formula = {"self": "grad * (1 - result * result).conj()", "result": "self_t * (1 - result * result)"}
    saves = "result"

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self)

    @staticmethod
    def times_slope(flow: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        return flow * (1 - result * result)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, edges=(0, 50, -50, math.inf, -math.inf, math.nan))


@rule
class Sigmoid(Elementwise):
    r"""The logistic function.

    .. math:: z = \frac{1}{1 + e^{-x}}, \qquad \bar x = \bar z \, (z \, (1 - z))^*, \qquad
        \dot z = z \, (1 - z) \, \dot x

    The slope is at most a quarter, and zero where the result rounds to one.

    Source: ``sigmoid_backward`` in ``aten/src/ATen/native/BinaryOps.cpp``; ``sigmoid`` in
    ``tools/autograd/derivatives.yaml``.
    """

    name = "sigmoid"
    replaces = {"sigmoid": same}
    in_place = {"sigmoid_": same}
    formula = {
        "self": "grad * (result * (1 - result)).conj()",
        "result": "self_t * result * (1 - result)",
    }
    saves = "result"

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self)

    @staticmethod
    def times_slope(flow: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        return flow * result * (1 - result)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from one_tensor(dtype, edges=(0, 50, -50, math.inf, -math.inf, math.nan))
