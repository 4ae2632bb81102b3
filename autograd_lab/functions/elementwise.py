r"""What functions of one tensor, element by element, have in common.

Such a function's Jacobian is diagonal: element ``i`` of the result depends on element ``i`` of the input alone. So
one number an element, the slope, is all that there is to know:

.. math:: z_i = f(x_i), \qquad \bar x_i = \bar z_i \, f'(x_i)^*, \qquad \dot z_i = f'(x_i) \, \dot x_i

Note [Half precision is computed in single]
A slope such as :math:`1 - z^2` cancels: two close numbers are subtracted, and what each lost when it was rounded
remains. In half precision that can be all of the slope. So half-precision numbers are widened to single, and the
gradient is rounded once, at the end. PyTorch's kernels for the gradients of tanh, GELU and SiLU do the same inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch

from autograd_lab.functions.rule import Rule
from autograd_lab.functions.samples import Sample, tensor

HALF = (torch.float16, torch.bfloat16)


def same(self: torch.Tensor) -> tuple[Any, ...]:
    """The argument of an operation on one tensor, as it is."""
    return (self,)


def wide(value: torch.Tensor) -> torch.Tensor:
    """Gives half-precision numbers in single precision. See Note [Half precision is computed in single]."""
    return value.float() if value.dtype in HALF else value


class Elementwise(Rule):
    r"""A smooth function of one tensor, element by element; a subclass says what its slope does to what flows.

    .. math:: z = f(x), \qquad \bar x = \bar z \, f'(x)^*, \qquad \dot z = f'(x) \, \dot x

    All of them are real where :math:`x` is real, and so :math:`f'(x)^* = f'(x^*)`: the conjugate of the slope is the
    slope at the conjugate.

    Attributes:
        saves: What the slope is computed from: ``"self"`` or ``"result"``, whichever gives the shorter formula.
    """

    generate_vmap_rule = True
    saves: ClassVar[str] = "self"

    @staticmethod
    def times_slope(flow: torch.Tensor, value: torch.Tensor, *options: Any) -> torch.Tensor:
        """Multiplies by the slope, by differentiable operations.

        Args:
            flow: A gradient or a tangent.
            value: The input or the result, as ``saves`` says, in single precision at least.
            *options: The rule's arguments after the first.

        Returns:
            ``flow`` times the slope at each element.
        """
        raise NotImplementedError

    @classmethod
    def setup_context(cls, ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, *ctx.options = inputs
        value = output if cls.saves == "result" else self
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(value)
        ctx.save_for_backward(value)

    @classmethod
    def backward(cls, ctx: Any, grad: torch.Tensor | None) -> Any:
        (value,) = ctx.saved_tensors
        no_gradients = (None for _ in ctx.options)
        if grad is None:
            return (None, *no_gradients)
        return (cls.times_slope(grad, wide(value).conj(), *ctx.options).to(grad.dtype), *no_gradients)

    @classmethod
    def jvp(cls, ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        (value,) = ctx.saved_tensors
        return None if self_t is None else cls.times_slope(self_t, wide(value), *ctx.options).to(self_t.dtype)


def one_tensor(
    dtype: torch.dtype, *options: Any, low: float = -3, high: float = 3, edges: tuple[float, ...] = ()
) -> Iterator[Sample]:
    """Gives one tensor of several shapes, and one of the numbers at which the function is special.

    Args:
        dtype: The tensor's.
        *options: The rule's further arguments.
        low: Its smallest number.
        high: Its largest.
        edges: Numbers where the function isn't smooth, overflows or is flat.
    """
    for shape in ((2, 3), (), (0, 2), (2, 1, 4)):
        yield Sample(f"{list(shape)}", (tensor(shape, dtype, low=low, high=high), *options))
    transposed = tensor((3, 2), dtype, low=low, high=high).detach().t().requires_grad_()
    yield Sample("not contiguous", (transposed, *options))
    if edges:
        yield Sample("edges", (torch.tensor(edges, dtype=dtype, requires_grad=True), *options), smooth=False)
