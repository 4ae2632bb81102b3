"""What ``AccumulateGrad`` makes of the gradient that reaches a leaf.

``torch/csrc/autograd/functions/accumulate_grad.h``.

Note [Stealing]
``.grad`` *is* the gradient that arrived, not a copy, if nobody else holds that tensor and if its layout
suits the leaf: strides like the leaf's, or contiguous where the leaf's own elements overlap or have gaps (the *gradient
layout contract*, ``grad_layout_contract.h``). Otherwise it's a copy with such a layout. Under ``create_graph`` it's
always a copy, which is part of the new graph.

Note [Adding to .grad]
If there is a ``.grad`` already, what arrived is added into it, in place, so that whoever holds ``.grad`` sees the sum.
Under ``create_graph`` it's a new sum, since changing it in place would spoil the graph that it may be part of. Then the
post-accumulate-grad hooks are called. That's why a training loop has to call ``zero_grad``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from autograd_lab._torch import glass as _glass, nodes as _nodes, tensors as _tensors
from autograd_lab._torch.run_node import run_node
from autograd_lab.records import Accumulation, GradStats

_TUPLE_LOCAL_AND_ARGUMENT = 3
"""How often Python holds a gradient that only ``accumulated`` knows."""


def written(
    arrived: tuple[torch.Tensor | None, ...],
    node: Any,
    measure: Callable[[torch.Tensor | None], GradStats | None],
) -> Accumulation:
    """Has torch's own ``AccumulateGrad`` write ``.grad``. See Note [Adding to .grad].

    Args:
        arrived: What arrived.
        node: The leaf's node.
        measure: Measures ``.grad`` before and after.

    Returns:
        What happened to it.
    """
    variable = _nodes.variable(node)
    old = _tensors.grad(variable)
    before = measure(old)
    run_node(node, arrived)
    new = _tensors.grad(variable)
    how = "copied" if old is None else "added" if new is old else "replaced"
    return Accumulation(how, before, measure(new))


def accumulated(
    arrived: tuple[torch.Tensor | None, ...], variable: torch.Tensor, *, create_graph: bool
) -> tuple[torch.Tensor, str]:
    """Gives what ``.grad`` would be, had it been ``None``. See Note [Stealing].

    Args:
        arrived: What arrived; the caller holds nothing but this tuple.
        variable: The leaf.
        create_graph: Whether a graph of the backward is being built.

    Returns:
        The gradient, and ``"stole"`` or ``"copied"``.
    """
    with _tensors.no_torch_function():  # in C++ no subclass's is called either
        return _accumulated(arrived, variable, create_graph=create_graph)


def _accumulated(
    arrived: tuple[torch.Tensor | None, ...], variable: torch.Tensor, *, create_graph: bool
) -> tuple[torch.Tensor, str]:
    (grad,) = arrived
    assert grad is not None
    alone = sys.getrefcount(grad) == _TUPLE_LOCAL_AND_ARGUMENT
    if grad.layout is not torch.strided or variable.layout is not torch.strided or grad.is_nested:
        return grad.clone(), "copied"
    if alone and not create_graph and _obeys(grad, variable) and _glass.held_by_python_alone(grad):
        return grad.detach(), "stole"
    if type(grad) is torch.Tensor and not _obeys(grad, variable) and _tensors.dense(variable):
        like = torch.empty_strided(variable.shape, variable.stride(), dtype=grad.dtype, device=grad.device)
        return like.copy_(grad), "copied"
    return grad.clone(
        memory_format=torch.contiguous_format if not _tensors.dense(variable) else torch.preserve_format
    ), "copied"


def _obeys(grad: torch.Tensor, variable: torch.Tensor) -> bool:
    if not _tensors.dense(variable):
        return grad.is_contiguous()
    return all(
        mine != 0 if size == 1 else mine == theirs  # a stride of 0: a view of something smaller
        for mine, theirs, size in zip(grad.stride(), variable.stride(), grad.shape, strict=True)
    )
