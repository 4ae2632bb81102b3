"""What ``AccumulateGrad`` makes of the gradient that reaches a leaf.

``torch/csrc/autograd/functions/accumulate_grad.h``.

Note [Stealing]
``.grad`` *is* the gradient that arrived, not a copy, if nobody else holds that tensor and if its layout
suits the leaf: strides like the leaf's, or contiguous where the leaf's own elements overlap or have gaps (the *gradient
layout contract*, ``grad_layout_contract.h``). A sparse gradient (COO) is taken over with its indices and values, and is
not coalesced then, whatever it was; an MKLDNN one has no strides to compare. Otherwise it's a copy with such a layout.
Under ``create_graph`` it's always a copy, which is part of the new graph.

Note [Adding to .grad]
If there is a ``.grad`` already, what arrived is added into it, in place, so that whoever holds ``.grad`` sees the sum.
Under ``create_graph`` it's a new sum, since changing it in place would spoil the graph that it may be part of. Then the
post-accumulate-grad hooks are called, also if the gradient was undefined. That's why a training loop has to call
``zero_grad``.

Note [Who puts a first gradient into .grad]
``AccumulateGrad`` tells by counting references whether somebody else holds a gradient. Called from Python it always
finds one more, the caller's, and would copy each. So the first gradient of a leaf is put into ``.grad`` here, by the
rule above. Torch's own node, which is then given an undefined gradient, calls the hooks. All else is the node's work.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from autograd_lab._torch import glass as _glass, nodes as _nodes, tensors as _tensors
from autograd_lab._torch.run_node import run_node
from autograd_lab.backward.leaf import Leaf
from autograd_lab.backward.stats import Meter
from autograd_lab.hold import Hold
from autograd_lab.records import Accumulation

_TUPLE_LOCAL_AND_ARGUMENT = 3
"""How often Python holds a gradient that only ``accumulated`` knows."""


def written(
    arrived: tuple[torch.Tensor | None, ...], node: Any, meter: Meter, *, create_graph: bool
) -> tuple[Accumulation, torch.Tensor | None]:
    """Writes ``.grad`` and calls the hooks that follow. See Note [Who puts a first gradient into .grad].

    Args:
        arrived: What arrived; the caller holds nothing but this tuple.
        node: The leaf's node.
        meter: Measures ``.grad`` before and after.
        create_graph: Whether a graph of the backward is being built.

    Returns:
        What happened to ``.grad``, and the gradient in memory of its own.
    """
    variable = _nodes.variable(node)
    first = not create_graph and _tensors.grad(variable) is None and _can_be_set(arrived[0], variable)
    gradient, how = accumulated(arrived, variable, create_graph=False) if first else (None, "")
    kept = _kept(arrived, stolen=how == "stole", create_graph=create_graph)
    leaf = Leaf(variable, meter)
    with Hold() as held:
        held.add(leaf.close)
        leaf.before(arrived[0], (meter.measure(arrived[0]),) if meter.measures else ())
        if gradient is None:
            run_node(node, arrived)
        else:
            _tensors.set_grad(variable, gradient)
            run_node(node, (None,))
        leaf.after(arrived[0])
    accumulation = leaf.accumulation()
    assert accumulation is not None
    return accumulation, kept


def accumulated(
    arrived: tuple[torch.Tensor | None, ...], variable: torch.Tensor, *, create_graph: bool
) -> tuple[torch.Tensor, str]:
    """Returns what ``.grad`` would be, had it been ``None``. See Note [Stealing].

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
    alone = _alone(arrived)
    (grad,) = arrived
    assert grad is not None
    if alone and not create_graph:
        taken_over = _tensors.sparse_taken_over(grad)
        if taken_over is not None:
            return taken_over, "stole"
        if grad.is_mkldnn or _obeys(grad, variable):
            return grad.detach(), "stole"
    if not _strided(grad) or not _strided(variable):
        return grad.clone(), "copied"
    if type(grad) is torch.Tensor and not _obeys(grad, variable) and _tensors.dense(variable):
        like = torch.empty_strided(variable.shape, variable.stride(), dtype=grad.dtype, device=grad.device)
        return like.copy_(grad), "copied"
    return grad.clone(
        memory_format=torch.contiguous_format if not _tensors.dense(variable) else torch.preserve_format
    ), "copied"


def _alone(arrived: tuple[torch.Tensor | None, ...]) -> bool:
    """Returns whether only this tuple holds the gradient."""
    (grad,) = arrived
    assert grad is not None
    return sys.getrefcount(grad) == _TUPLE_LOCAL_AND_ARGUMENT and _glass.held_by_python_alone(grad)


def _kept(
    arrived: tuple[torch.Tensor | None, ...], *, stolen: bool, create_graph: bool
) -> torch.Tensor | None:
    """Returns the gradient, to be held: a copy where a leaf steals it, this one now or one that runs later."""
    if arrived[0] is None or create_graph or (not stolen and _alone(arrived)):
        return arrived[0]
    with _tensors.no_torch_function():
        return arrived[0].clone()


def _strided(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested


def _can_be_set(grad: torch.Tensor | None, variable: torch.Tensor) -> bool:
    """Whether ``.grad`` may be set to a gradient from Python: it has the leaf's type or is sparse (COO)."""
    if grad is None:
        return False
    alike = (grad.dtype, grad.device, grad.layout) == (variable.dtype, variable.device, variable.layout)
    return alike or grad.layout is torch.sparse_coo


def _obeys(grad: torch.Tensor, variable: torch.Tensor) -> bool:
    if not _strided(grad) or not _strided(variable):
        return False
    if not _tensors.dense(variable):
        return grad.is_contiguous()
    return all(
        mine != 0 if size == 1 else mine == theirs  # a stride of 0: a view of something smaller
        for mine, theirs, size in zip(grad.stride(), variable.stride(), grad.shape, strict=True)
    )
