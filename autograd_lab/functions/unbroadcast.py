r"""A gradient has its input's shape and dtype: undoing broadcasting and promotion, explained once.

Note [Unbroadcast]
In ``x * y`` with ``x`` of shape ``[3, 1]`` and ``y`` of shape ``[4]``, each element of ``x`` is used four times. The
rule for a product gives a gradient for each *use*, so of the result's shape ``[3, 4]``. By the chain rule, what an
element gets is the sum over its uses:

.. math:: \bar x_{i0} = \sum_j \bar z_{ij} \, y_j

So broadcasting forwards is summing backwards: over the dimensions that were put in front, and, keeping them, over
those that were stretched from size 1. (Expanding and summing are each other's transpose.) PyTorch's engine does this
for every node behind the scenes (``validate_outputs`` in ``torch/csrc/autograd/engine.cpp``); here each rule says it.

Promotion is undone alike. A real input that met a complex one gets the real part of its gradient, because only real
steps can be taken from it (``handle_r_to_c`` in ``FunctionsManual.cpp``), and that before summing; and a
half-precision input gets half-precision numbers, rounded after the sum.
"""

from __future__ import annotations

from typing import NamedTuple

import torch


class Like(NamedTuple):
    """What a gradient must look like."""

    shape: torch.Size
    dtype: torch.dtype


def like(value: object) -> Like | None:
    """Returns what the gradient of an operand must look like; ``None`` for a number, which has none."""
    return Like(value.shape, value.dtype) if isinstance(value, torch.Tensor) else None


def fit(grad: torch.Tensor, wanted: Like | None) -> torch.Tensor:
    """Undoes broadcasting and promotion. See Note [Unbroadcast].

    Args:
        grad: A gradient of the result's shape.
        wanted: What the input looks like.

    Returns:
        The gradient in the input's shape and dtype.

    Example:
        >>> fit(torch.ones(3, 4), Like(torch.Size([3, 1]), torch.float32)).flatten()
        tensor([4., 4., 4.])
    """
    assert wanted is not None  # torch never asks for a number's gradient
    return real_if(grad, wanted).sum_to_size(wanted.shape).to(wanted.dtype)


def real_if(grad: torch.Tensor, wanted: Like | None) -> torch.Tensor:
    """Returns the real part where a real input met a complex one."""
    assert wanted is not None
    return grad.real if grad.is_complex() and not wanted.dtype.is_complex else grad
