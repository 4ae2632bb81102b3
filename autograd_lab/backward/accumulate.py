"""What ``AccumulateGrad`` makes of the gradient that reaches a leaf.

``torch/csrc/autograd/functions/accumulate_grad.h``.

Note [Stealing]
``.grad`` *is* the gradient that arrived, not a copy, if nobody else holds that tensor and if its layout
suits the leaf: strides like the leaf's, or contiguous where the leaf's own elements overlap or have gaps (the *gradient
layout contract*, ``grad_layout_contract.h``). Otherwise it's a copy with such a layout. Under ``create_graph`` it's
always a copy, which is part of the new graph.
"""

from __future__ import annotations

import sys

import torch

from autograd_lab._torch import glass as _glass

_TUPLE_LOCAL_AND_ARGUMENT = 3
"""How often Python holds a gradient that only ``accumulated`` knows."""


def accumulated(
    arrived: tuple[torch.Tensor], variable: torch.Tensor, *, create_graph: bool
) -> tuple[torch.Tensor, str]:
    """Gives what ``.grad`` would be, had it been ``None``. See Note [Stealing].

    Args:
        arrived: What arrived; the caller holds nothing but this tuple.
        variable: The leaf.
        create_graph: Whether a graph of the backward is being built.

    Returns:
        The gradient, and ``"stole"`` or ``"copied"``.
    """
    (grad,) = arrived
    alone = sys.getrefcount(grad) == _TUPLE_LOCAL_AND_ARGUMENT
    if grad.layout is not torch.strided or variable.layout is not torch.strided or grad.is_nested:
        return grad.clone(), "copied"
    if alone and not create_graph and _obeys(grad, variable) and _glass.held_by_python_alone(grad):
        return grad.detach(), "stole"
    if type(grad) is torch.Tensor and not _obeys(grad, variable) and _dense(variable):
        like = torch.empty_strided(variable.shape, variable.stride(), dtype=grad.dtype, device=grad.device)
        return like.copy_(grad), "copied"
    return grad.clone(
        memory_format=torch.contiguous_format if not _dense(variable) else torch.preserve_format
    ), "copied"


def _obeys(grad: torch.Tensor, variable: torch.Tensor) -> bool:
    if not _dense(variable):
        return grad.is_contiguous()
    return all(
        mine == theirs or size < 2
        for mine, theirs, size in zip(grad.stride(), variable.stride(), grad.shape, strict=True)
    )


def _dense(variable: torch.Tensor) -> bool:
    """Whether the elements fill their memory without gaps or overlaps."""
    expected = 1
    for stride, size in sorted(zip(variable.stride(), variable.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True
