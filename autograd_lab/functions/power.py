"""Powers, of tensors and of numbers."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions.formula import conj
from autograd_lab.functions.operands import Broadcast, PythonNumber, TensorOrNumber, save
from autograd_lab.functions.rule import rule
from autograd_lab.functions.samples import Sample, pairs, tensor


def _self_grad(grad: torch.Tensor, self: torch.Tensor, exponent: TensorOrNumber) -> torch.Tensor:
    if isinstance(exponent, torch.Tensor):
        flat = exponent == 0
        return torch.where(flat, grad.new_zeros(()), grad * conj(exponent * self.pow(exponent - 1)))
    if exponent == 0:
        return torch.zeros_like(self)
    number = exponent if isinstance(exponent, complex) else float(exponent)
    slope: torch.Tensor = conj(number * self.pow(number - 1))
    return grad * slope


def _exponent_grad(
    grad: torch.Tensor, self: TensorOrNumber, exponent: torch.Tensor, result: torch.Tensor
) -> torch.Tensor:
    if isinstance(self, torch.Tensor):
        log = self.to(torch.result_type(self, exponent)).log()
        return grad * torch.where(
            (self == 0) & not_negative(exponent), grad.new_zeros(()), conj(result * log)
        )
    slope: torch.Tensor = conj(result * _log(complex(self) if exponent.is_complex() else self))
    return grad * (torch.where(not_negative(exponent), grad.new_zeros(()), slope) if self == 0 else slope)


def not_negative(exponent: torch.Tensor) -> torch.Tensor:
    """Returns where an exponent is real and not below zero."""
    if exponent.is_complex():
        return (exponent.imag == 0).logical_and(exponent.real >= 0)
    return exponent >= 0


def _log(number: PythonNumber) -> PythonNumber:
    """The logarithm as C++ has it: of zero minus infinity, of a negative real number NaN."""
    if number == 0:
        return complex(-math.inf, 0.0) if isinstance(number, complex) else -math.inf
    if isinstance(number, complex):
        return cmath.log(number)
    return math.log(number) if number > 0 else math.nan


@rule
class Pow(Broadcast):
    r"""A power, of a tensor or a number to a tensor or a number.

    .. math:: z = x^y, \qquad \bar x = \bar z \, (y \, x^{y-1})^*, \qquad \bar y = \bar z \, (z \ln x)^*, \qquad
        \dot z = y \, x^{y-1} \, \dot x + z \ln x \, \dot y

    At zero the formulas need care:

    - :math:`x^0 = 1` for every :math:`x`, so :math:`\bar x = 0` where :math:`y = 0`. The formula would say
      :math:`0 \cdot x^{-1}`, which is NaN for :math:`x = 0`.
    - For :math:`x = 0, y \ge 0` we take :math:`\bar y = 0`, the limit from the right for :math:`y > 0`; the formula
      would say :math:`0 \cdot (-\infty)`. For :math:`y < 0` it says :math:`-\infty`, and stays.
    - A negative real :math:`x` has no real logarithm: :math:`\bar y` is NaN, honestly. :math:`\bar x` is fine if
      :math:`y` is an integer.

    The zeros are put in by selecting, not by multiplying, because NaN times zero is NaN.

    Source: ``pow_backward``, ``pow_backward_self``, ``pow_backward_exponent`` in
    ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "pow"
    replaces = {
        "pow.Tensor_Tensor": lambda self, exponent: (self, exponent),
        "pow.Tensor_Scalar": lambda self, exponent: (self, exponent),
        "pow.Scalar": lambda self, exponent: (self, exponent),
    }
    in_place = {
        "pow_.Tensor": lambda self, exponent: (self, exponent),
        "pow_.Scalar": lambda self, exponent: (self, exponent),
    }
    formula = {
        "self": "torch.where(exponent == 0, 0, grad * conj(exponent * self ** (exponent - 1)))",
        "exponent": "torch.where((self == 0) & not_negative(exponent), 0, grad * conj(result * self.log()))",
        "result": "self_t * exponent * self ** (exponent - 1) + exponent_t * result * self.log()",
    }

    gradients = {"self": _self_grad, "exponent": _exponent_grad}

    @staticmethod
    def forward(self: TensorOrNumber, exponent: TensorOrNumber) -> torch.Tensor:
        return torch.pow(self, exponent)  # type: ignore[arg-type]

    @classmethod
    def setup_context(cls, ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        keeps_result = isinstance(inputs[1], torch.Tensor)  # as PyTorch's node: see Note [What a rule saves]
        save(ctx, (*inputs, output), (True, True, keeps_result), output)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for pair in pairs(dtype):
            self, exponent = pair.args
            above = (self.detach().abs() + 0.5).to(self.dtype).requires_grad_(self.requires_grad)
            yield Sample(pair.name, (above, exponent))
        for power in (0, 1, 2, 3, -1, 0.5, 2.5, True):
            yield Sample(f"tensor ** {power}", (tensor((2, 3), dtype, low=0.5), power))
        for power in (0, 1, 2, 3, -2):
            yield Sample(f"negative ** {power}", (tensor((2, 3), dtype, low=-2, high=-0.5), power))
        for base in (2, 0.5, 1):
            yield Sample(f"{base} ** tensor", (base, tensor((2, 3), dtype)))
        yield from _at_zero(dtype)


def _at_zero(dtype: torch.dtype) -> Iterator[Sample]:
    def leaf(*numbers: float) -> torch.Tensor:
        return torch.tensor(numbers, dtype=dtype, requires_grad=True)

    for power in (0, 1, 2, 3, 0.5, -1):
        yield Sample(f"0 ** {power}", (leaf(0, 1), power), smooth=False)
    yield Sample("0 ** tensor", (leaf(0, 0, 0, 0), leaf(0, 1, 2, -1)), smooth=False)
    yield Sample("tensor ** 0", (leaf(2, -2, 0.5), leaf(0, 0, 0)), smooth=False)
    yield Sample("negative ** tensor", (leaf(-2, -0.5, -1), leaf(2, 3, -1)), smooth=False)
    yield Sample("0 ** tensor, from a number", (0, leaf(0, 1, 2, -1)), smooth=False)
    yield Sample("negative ** tensor, from a number", (-2.0, leaf(0, 1, 2)), smooth=False)
    whole = torch.tensor([0, 1, 2])
    yield Sample("an integer tensor as exponent", (leaf(0, -1, 2), whole), smooth=False)
    yield Sample("an integer tensor as base", (whole, leaf(1, 2, 0)), smooth=False)
