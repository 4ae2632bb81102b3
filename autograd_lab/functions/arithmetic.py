"""Sums, differences, products, quotients.

``grad`` is the gradient with respect to the result. For complex numbers it is PyTorch's, the conjugate of the
derivative in Wirtinger's sense: each local derivative stands conjugated in a formula. See Note [Unbroadcast] for
what brings a gradient to its input's shape; the formulas below leave it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions import operands
from autograd_lab.functions.operands import Number, Operand
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, pairs, tensor
from autograd_lab.functions.unbroadcast import fit


def two(self: Operand, other: Operand) -> tuple[Any, ...]:
    """The arguments of an operation on two operands, as they are."""
    return self, other


def with_alpha(self: Operand, other: Operand, alpha: Number = 1) -> tuple[Any, ...]:
    """The arguments of a sum or a difference."""
    return self, other, alpha


def turned(self: Operand, other: Operand, alpha: Number = 1) -> tuple[Any, ...]:
    """``rsub(self, other)`` is ``other - alpha * self``."""
    return other, self, alpha


def with_rounding(self: Operand, other: Operand, rounding_mode: str | None = None) -> tuple[Any, ...]:
    """The arguments of a quotient."""
    return self, other, rounding_mode


def times(value: torch.Tensor, number: Number) -> torch.Tensor:
    """``value * number``, without a multiplication by one."""
    return value if number == 1 else value * number


def conj(value: Any) -> Any:
    """The conjugate of a tensor or a number."""
    return value.conj() if isinstance(value, torch.Tensor) else value.conjugate()


@rule
class Mul(Rule):
    r"""The product of two operands.

    .. math:: z = x \, y, \qquad \bar x = \bar z \, y^*, \qquad \bar y = \bar z \, x^*, \qquad
        \dot z = \dot x \, y + x \, \dot y

    Each gradient needs the other operand, so that is what is saved, and only if the gradient is wanted.

    Source: ``mul_tensor_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "mul"
    replaces = {"mul.Tensor": two, "mul.Scalar": two}
    in_place = {"mul_.Tensor": two, "mul_.Scalar": two}
    formula = {
        "self": "grad * conj(other)",
        "other": "grad * conj(self)",
        "result": "self_t * other + self * other_t",
    }

    @staticmethod
    def forward(self: Operand, other: Operand) -> torch.Tensor:
        return self * other  # type: ignore[return-value]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        needs_self, needs_other = ctx.needs_input_grad
        operands.save(ctx, inputs, (needs_other, needs_self), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None
        self, other = operands.saved(ctx)
        needs_self, needs_other = ctx.needs_input_grad
        return (
            fit(grad * conj(other), ctx.likes[0]) if needs_self else None,
            fit(grad * conj(self), ctx.likes[1]) if needs_other else None,
        )

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, other_t: torch.Tensor | None) -> Any:
        self, other = operands.saved(ctx)
        return operands.tangent(
            ctx, None if self_t is None else self_t * other, None if other_t is None else other_t * self
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[torch.Tensor, int]:
        return operands.batched(Mul.apply, in_dims, args)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from pairs(dtype)
        yield from _with_numbers(dtype)
        same = tensor((3,), dtype)
        yield Sample("an operand twice", (same, same))


@rule
class Add(Rule):
    r"""The sum of two operands, the second one times ``alpha``.

    .. math:: z = x + \alpha y, \qquad \bar x = \bar z, \qquad \bar y = \alpha^* \bar z, \qquad
        \dot z = \dot x + \alpha \dot y

    Nothing is saved.

    Source: ``add.Tensor`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "add"
    replaces = {"add.Tensor": with_alpha, "add.Scalar": with_alpha}
    in_place = {"add_.Tensor": with_alpha, "add_.Scalar": with_alpha}
    formula = {"self": "grad", "other": "grad * conj(alpha)", "result": "self_t + alpha * other_t"}

    @staticmethod
    def forward(self: Operand, other: Operand, alpha: Number = 1) -> torch.Tensor:
        if not isinstance(self, torch.Tensor):
            return torch.rsub(other, self, alpha=-alpha)  # type: ignore[arg-type]
        return torch.add(self, other, alpha=alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        operands.save(ctx, inputs, (False, False, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None
        needs_self, needs_other, _ = ctx.needs_input_grad
        alpha = ctx.numbers[2]
        return (
            fit(grad, ctx.likes[0]) if needs_self else None,
            fit(times(grad, conj(alpha)), ctx.likes[1]) if needs_other else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, other_t: torch.Tensor | None, _: None) -> Any:
        return operands.tangent(ctx, self_t, None if other_t is None else times(other_t, ctx.numbers[2]))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[torch.Tensor, int]:
        return operands.batched(Add.apply, in_dims, args)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _sums(dtype)


@rule
class Sub(Rule):
    r"""The difference of two operands, the second one times ``alpha``.

    .. math:: z = x - \alpha y, \qquad \bar x = \bar z, \qquad \bar y = -\alpha^* \bar z, \qquad
        \dot z = \dot x - \alpha \dot y

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
    formula = {"self": "grad", "other": "-grad * conj(alpha)", "result": "self_t - alpha * other_t"}

    @staticmethod
    def forward(self: Operand, other: Operand, alpha: Number = 1) -> torch.Tensor:
        if not isinstance(self, torch.Tensor):
            return torch.rsub(other, self, alpha=alpha)  # type: ignore[arg-type]
        return torch.sub(self, other, alpha=alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        operands.save(ctx, inputs, (False, False, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None
        needs_self, needs_other, _ = ctx.needs_input_grad
        alpha = ctx.numbers[2]
        return (
            fit(grad, ctx.likes[0]) if needs_self else None,
            fit(times(-grad, conj(alpha)), ctx.likes[1]) if needs_other else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, other_t: torch.Tensor | None, _: None) -> Any:
        return operands.tangent(ctx, self_t, None if other_t is None else -times(other_t, ctx.numbers[2]))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[torch.Tensor, int]:
        return operands.batched(Sub.apply, in_dims, args)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _sums(dtype)


@rule
class Div(Rule):
    r"""The quotient of two operands, rounded if asked.

    .. math:: z = x / y, \qquad \bar x = \bar z / y^*, \qquad \bar y = -\bar z \, (z / y)^*, \qquad
        \dot z = (\dot x - \dot y \, z) / y

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
    formula = {
        "self": "torch.zeros_like(grad) if rounding_mode else grad / conj(other)",
        "other": "torch.zeros_like(grad) if rounding_mode else -grad * conj((self / other) / other)",
        "result": "torch.zeros_like(result) if rounding_mode else (self_t - other_t * result) / other",
    }

    @staticmethod
    def forward(self: Operand, other: Operand, rounding_mode: str | None = None) -> torch.Tensor:
        if not isinstance(self, torch.Tensor):
            assert isinstance(other, torch.Tensor)
            self = torch.tensor(self, dtype=torch.result_type(self, other), device=other.device)
        return torch.div(self, other, rounding_mode=rounding_mode)  # type: ignore[arg-type]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _, needs_other, _ = ctx.needs_input_grad
        rounded = inputs[2] is not None
        operands.save(ctx, inputs, (needs_other and not rounded, not rounded, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None
        self, other, rounding_mode = operands.saved(ctx)
        grads: list[torch.Tensor | None] = []
        for needed, wanted in zip(ctx.needs_input_grad[:2], ctx.likes[:2], strict=True):
            if not needed:
                grads.append(None)
            elif rounding_mode is not None:
                grads.append(fit(torch.zeros_like(grad), wanted))
            elif not grads:
                grads.append(fit(grad / conj(other), wanted))
            else:
                grads.append(fit(-grad * conj((self / other) / other), wanted))
        return (*grads, None)

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, other_t: torch.Tensor | None, _: None) -> Any:
        self, other, rounding_mode = operands.saved(ctx)
        if rounding_mode is not None:
            given = self_t if self_t is not None else other_t
            return operands.tangent(ctx, None if given is None else torch.zeros_like(given.sum()))
        return operands.tangent(
            ctx,
            None if self_t is None else self_t / other,
            None if other_t is None else -other_t * ((self / other) / other),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[torch.Tensor, int]:
        return operands.batched(Div.apply, in_dims, args)

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
class Neg(Rule):
    r"""The negative.

    .. math:: z = -x, \qquad \bar x = -\bar z, \qquad \dot z = -\dot x

    Source: ``neg`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "neg"
    replaces = {"neg": lambda self: (self,)}
    in_place = {"neg_": lambda self: (self,)}
    formula = {"self": "-grad", "result": "-self_t"}

    @staticmethod
    def forward(self: torch.Tensor) -> torch.Tensor:
        return torch.neg(self)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        return None if grad is None else -grad

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None) -> Any:
        return None if self_t is None else -self_t

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], self: torch.Tensor
    ) -> tuple[torch.Tensor, int | None]:
        return Neg.apply(self), in_dims[0]  # type: ignore[no-untyped-call]

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
