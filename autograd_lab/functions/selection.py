r"""Operations that choose: each element of the result is an element of one of the operands, and masks say of which.

Choosing is linear. Where :math:`m_k` is one where operand :math:`k` was chosen, else zero,

.. math:: z = \sum_k m_k \, x_k, \qquad \bar x_k = m_k \, \bar z, \qquad \dot z = \sum_k m_k \, \dot x_k

The zeros are put in by selecting, not by multiplying, because infinity times zero is NaN. See Note [Unbroadcast] for
what brings a gradient to its input's shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions.operands import ByFormula, TensorOrNumber
from autograd_lab.functions.rule import rule
from autograd_lab.functions.samples import Sample, tensor


def only(mask: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Returns the value where the mask is true, and zero elsewhere."""
    return torch.where(mask, value, value.new_zeros(()))


class Selection(ByFormula):
    r"""Chooses between operands; a subclass says where each is chosen.

    .. math:: z = \sum_k m_k \, x_k, \qquad \bar x_k = m_k \, \bar z, \qquad \dot z = \sum_k m_k \, \dot x_k
    """

    generate_vmap_rule = True


@rule
class Where(Selection):
    r"""The first operand where a condition holds, the second elsewhere.

    .. math:: z = \begin{cases} x & c \\ y & \text{otherwise} \end{cases}

    The operand that wasn't chosen gets a gradient of zero, even where it is NaN or infinite. If it is the result of a
    function whose slope is infinite there, that function's own rule still makes NaN of the zero.

    Source: ``where.self`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "where"
    replaces = {"where.self": lambda condition, self, other: (condition, self, other)}
    gradients = {
        "self": lambda grad, condition: only(condition, grad),
        "other": lambda grad, condition: only(~condition, grad),
    }

    @staticmethod
    def forward(condition: torch.Tensor, self: TensorOrNumber, other: TensorOrNumber) -> torch.Tensor:
        return torch.where(condition, self, other)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        shapes = [
            ((2, 3),) * 3,
            ((3,), (2, 3), ()),
            ((2, 1), (3,), (2, 3)),
            ((), (), ()),
            ((0, 3), (3,), (0, 3)),
        ]
        for condition, self, other in shapes:
            sizes = f"{list(condition)} {list(self)} {list(other)}"
            yield Sample(sizes, (_mask(condition), tensor(self, dtype), tensor(other, dtype, seed=1)))
        for needs in ((True, False), (False, True)):
            one, two = tensor((2, 3), dtype), tensor((2, 3), dtype, seed=1)
            args = (_mask((3,)), one.requires_grad_(needs[0]), two.requires_grad_(needs[1]))
            yield Sample(f"needs {needs}", args)
        transposed = tensor((3, 2), dtype).detach().t().requires_grad_()
        yield Sample("not contiguous", (_mask((3, 2)).t(), transposed, tensor((2, 3), dtype, seed=1)))
        wider = torch.complex128 if dtype.is_complex else torch.float64
        yield Sample(f"with {wider}", (_mask((2,)), tensor((2,), dtype), tensor((2,), wider, seed=1)))
        yield Sample("a number", (_mask((2, 3)), tensor((3,), dtype), 0.5))
        bad = torch.tensor([math.nan, math.inf, 1], dtype=dtype, requires_grad=True)
        yield Sample(
            "an operand that isn't finite", (bad.detach().real == 1, bad, tensor((3,), dtype)), smooth=False
        )
        both = tensor((3,), dtype)
        yield Sample("an operand twice", (_mask((3,)), both, both))


def whole(self: torch.Tensor, mask: torch.Tensor, value: TensorOrNumber) -> tuple[Any, ...] | None:
    """The arguments of ``masked_fill_``; of an expanded tensor only PyTorch's own form fills the memory, and warns."""
    expanded = any(size > 1 and stride == 0 for size, stride in zip(self.shape, self.stride(), strict=True))
    return None if expanded else (self, mask, value)


@rule
class MaskedFill(Selection):
    r"""A tensor with one value put in wherever a mask is true.

    .. math:: z = \begin{cases} v & m \\ x & \text{otherwise} \end{cases}

    The value is one number that is put in many times: its gradient is the sum over all of them.

    Source: ``masked_fill_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``; ``masked_fill.Scalar``,
    ``masked_fill.Tensor`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "masked_fill"
    replaces = {
        "masked_fill.Scalar": lambda self, mask, value: (self, mask, value),
        "masked_fill.Tensor": lambda self, mask, value: (self, mask, value),
    }
    in_place = {"masked_fill_.Scalar": whole, "masked_fill_.Tensor": whole}
    gradients = {
        "self": lambda grad, mask: only(~mask, grad),
        "value": lambda grad, mask: only(mask, grad),
    }

    @staticmethod
    def forward(self: torch.Tensor, mask: torch.Tensor, value: TensorOrNumber) -> torch.Tensor:
        return self.masked_fill(mask, value)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for self, mask in (((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((), ()), ((0, 3), (3,))):
            sizes = f"{list(self)} {list(mask)}"
            yield Sample(f"{sizes} tensor", (tensor(self, dtype), _mask(mask), tensor((), dtype, seed=1)))
            yield Sample(f"{sizes} number", (tensor(self, dtype), _mask(mask), -1.5))
        for needs in ((True, False), (False, True)):
            one, two = tensor((2, 3), dtype), tensor((), dtype, seed=1)
            args = (one.requires_grad_(needs[0]), _mask((3,)), two.requires_grad_(needs[1]))
            yield Sample(f"needs {needs}", args)
        transposed = tensor((3, 2), dtype).detach().t().requires_grad_()
        yield Sample("not contiguous, infinity", (transposed, _mask((2, 3)), -math.inf), smooth=False)
        wider = torch.complex128 if dtype.is_complex else torch.float64
        yield Sample(f"with {wider}", (tensor((2,), dtype), _mask((2,)), tensor((), wider)))


def _mask(shape: tuple[int, ...]) -> torch.Tensor:
    """Makes a mask that is false at every third element, from the first on."""
    return (torch.arange(math.prod(shape)) % 3 > 0).reshape(shape)
