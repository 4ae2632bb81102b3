"""Sums, differences, products, quotients.

``grad`` is the gradient with respect to the result. For complex numbers it is PyTorch's, the conjugate of the
derivative in Wirtinger's sense: each local derivative stands conjugated in a formula. See Note [Unbroadcast] for
what brings a gradient to its input's shape; the formulas below leave it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions.elementwise import Elementwise
from autograd_lab.functions.formula import conj, times
from autograd_lab.functions.operands import Broadcast, PythonNumber, TensorOrNumber
from autograd_lab.functions.rule import rule
from autograd_lab.functions.samples import Sample, pairs, tensor


def two(self: TensorOrNumber, other: TensorOrNumber) -> tuple[Any, ...]:
    """Returns the arguments of an operation on two operands, as they are."""
    return self, other


def with_alpha(self: TensorOrNumber, other: TensorOrNumber, alpha: PythonNumber = 1) -> tuple[Any, ...]:
    """Returns the arguments of a sum or a difference."""
    return self, other, alpha


def turned(self: TensorOrNumber, other: TensorOrNumber, alpha: PythonNumber = 1) -> tuple[Any, ...]:
    """``rsub(self, other)`` is ``other - alpha * self``."""
    return other, self, alpha


def with_rounding(
    self: TensorOrNumber, other: TensorOrNumber, rounding_mode: str | None = None
) -> tuple[Any, ...]:
    """Returns the arguments of a quotient."""
    return self, other, rounding_mode


@rule
class Mul(Broadcast):
    r"""The product of two operands.

    .. math:: z = x \, y

    Each gradient needs the other operand, so that is what is saved, and only if the gradient is wanted.

    Source: ``mul_tensor_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "mul"
    replaces = {"mul.Tensor": two, "mul.Scalar": two}
    in_place = {"mul_.Tensor": two, "mul_.Scalar": two}
    gradients = {
        "self": lambda grad, other: grad * conj(other),
        "other": lambda grad, self: grad * conj(self),
    }

    @staticmethod
    def forward(self: TensorOrNumber, other: TensorOrNumber) -> torch.Tensor:
        return self * other  # type: ignore[return-value]

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from pairs(dtype)
        yield from _with_numbers(dtype)
        same = tensor((3,), dtype)
        yield Sample("an operand twice", (same, same))


@rule
class Add(Broadcast):
    r"""The sum of two operands, the second one times ``alpha``.

    .. math:: z = x + \alpha y

    Nothing is saved.

    Source: ``add.Tensor`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "add"
    replaces = {"add.Tensor": with_alpha, "add.Scalar": with_alpha}
    in_place = {"add_.Tensor": with_alpha, "add_.Scalar": with_alpha}
    gradients = {
        "self": lambda grad: grad,
        "other": lambda grad, alpha: times(grad, conj(alpha)),
    }

    @staticmethod
    def forward(self: TensorOrNumber, other: TensorOrNumber, alpha: PythonNumber = 1) -> torch.Tensor:
        if not isinstance(self, torch.Tensor):
            return torch.rsub(other, self, alpha=-alpha)  # type: ignore[arg-type]
        return torch.add(self, other, alpha=alpha)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _sums(dtype)


@rule
class Sub(Broadcast):
    r"""The difference of two operands, the second one times ``alpha``.

    .. math:: z = x - \alpha y

    Nothing is saved.

    Source: ``sub.Tensor`` and ``rsub.Tensor`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "sub"
    replaces = {
        "sub.Tensor": with_alpha,
        "sub.Scalar": with_alpha,
        "rsub.Tensor": turned,
        "rsub.Scalar": turned,
    }
    in_place = {"sub_.Tensor": with_alpha, "sub_.Scalar": with_alpha}
    gradients = {
        "self": lambda grad: grad,
        "other": lambda grad, alpha: times(-grad, conj(alpha)),
    }

    @staticmethod
    def forward(self: TensorOrNumber, other: TensorOrNumber, alpha: PythonNumber = 1) -> torch.Tensor:
        if not isinstance(self, torch.Tensor):
            return torch.rsub(other, self, alpha=alpha)  # type: ignore[arg-type]
        return torch.sub(self, other, alpha=alpha)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _sums(dtype)


@rule
class Div(Broadcast):
    r"""The quotient of two operands, rounded if asked.

    .. math:: z = x / y

    A rounded quotient is flat between its steps: all gradients are zero.

    Source: ``div_tensor_self_backward``, ``div_tensor_other_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "div"
    replaces = {
        "div.Tensor": with_rounding,
        "div.Scalar": with_rounding,
        "div.Tensor_mode": with_rounding,
        "div.Scalar_mode": with_rounding,
    }
    in_place = {
        "div_.Tensor": with_rounding,
        "div_.Scalar": with_rounding,
        "div_.Tensor_mode": with_rounding,
        "div_.Scalar_mode": with_rounding,
    }
    gradients = {
        "self": lambda grad, other, rounding_mode: (
            torch.zeros_like(grad) if rounding_mode else grad / conj(other)
        ),
        "other": lambda grad, self, other, rounding_mode: (
            torch.zeros_like(grad) if rounding_mode else -grad * conj((self / other) / other)
        ),
    }

    @staticmethod
    def forward(
        self: TensorOrNumber, other: TensorOrNumber, rounding_mode: str | None = None
    ) -> torch.Tensor:
        if not isinstance(self, torch.Tensor):
            assert isinstance(other, torch.Tensor)
            self = torch.tensor(self, dtype=torch.result_type(self, other), device=other.device)
        return torch.div(self, other, rounding_mode=rounding_mode)  # type: ignore[arg-type]

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from pairs(dtype, low=0.5)
        yield Sample("tensor / number", (tensor((2, 3), dtype), -2.5))
        yield Sample("number / tensor", (3, tensor((2, 3), dtype, low=0.5)))
        zero = torch.tensor([0.0, 1.0], dtype=dtype, requires_grad=True)
        yield Sample("by zero", (tensor((2,), dtype), zero), smooth=False)
        if not dtype.is_complex:
            for mode in ("trunc", "floor"):
                pair = (tensor((2, 3), dtype), tensor((3,), dtype, seed=1, low=0.5))
                yield Sample(f"{mode}", (*pair, mode))
                yield Sample(f"{mode} by a number", (tensor((2, 3), dtype), 0.7, mode))


@rule
class Neg(Elementwise):
    r"""The negative.

    .. math:: z = -x

    Source: ``neg`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "neg"
    replaces = {"neg": lambda self: (self,)}
    in_place = {"neg_": lambda self: (self,)}
    gradients = {"self": lambda grad: -grad}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.neg(self)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for shape in ((2, 3), (), (0, 2)):
            yield Sample(f"{list(shape)}", (tensor(shape, dtype),))


def _with_numbers(dtype: torch.dtype) -> Iterator[Sample]:
    half = dtype in (torch.float16, torch.bfloat16)
    for number in (2, -0.5, 0, True, *(() if half else (1.5 + 0.5j,))):
        yield Sample(f"tensor, {number}", (tensor((2, 3), dtype), number))
        yield Sample(f"{number}, tensor", (number, tensor((2, 3), dtype)))


def _sums(dtype: torch.dtype) -> Iterator[Sample]:
    for pair in pairs(dtype):
        yield Sample(pair.name, (*pair.args, 1))
    for numbers in _with_numbers(dtype):
        if not isinstance(numbers.args[1], bool) and not isinstance(numbers.args[0], bool):
            yield Sample(numbers.name, (*numbers.args, 1))
    for alpha in (2, -0.5, 0, *((1 + 2j,) if dtype.is_complex else ())):
        args = (tensor((2, 3), dtype), tensor((3,), dtype, seed=1), alpha)
        yield Sample(f"alpha={alpha}", args)
    yield Sample("a number times alpha", (tensor((2,), dtype), 3, 2))
