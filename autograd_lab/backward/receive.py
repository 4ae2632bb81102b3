"""``validate_outputs``: what the engine makes of a gradient before the receiving node gets it.

``torch/csrc/autograd/engine.cpp`` (``validate_outputs_impl``) and ``input_metadata.cpp`` (``maybe_reduce``), with their
messages.

Note [sum_to]
Broadcasting in the forward means summing in the backward, and most formulas leave that to the engine: what a node
returns may be larger than the slot that it goes into. The engine sums over the leading dimensions that the slot
doesn't have and over those in which the slot has size 1.

Note [The slot's dtype]
Type promotion in the forward means a cast in the backward: a real gradient is cast to the slot's dtype. A complex one
isn't made real by the engine: that's the formulas' work (``handle_r_to_c``), and where one forgets it's an error. A
leaf may ask for another dtype with ``grad_dtype``; ``None`` takes any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch.run_node import Grads
from autograd_lab.errors import GradientError
from autograd_lab.records import Edge, Graph, TensorMeta


class Slot(NamedTuple):
    """What an input slot takes: ``shape`` is ``None`` where only torch can compare it (nested, symbolic)."""

    shape: tuple[int, ...] | None
    dtype: torch.dtype | None
    device: torch.device


class Slots:
    """The slots of a graph's nodes: what the capture read of them, once for all that are alike.

    Args:
        graph: The graph.
        nodes: Its live nodes, by id.
    """

    def __init__(self, graph: Graph, nodes: Sequence[Any]) -> None:
        self._graph = graph
        self._nodes = nodes
        self._alike: dict[TensorMeta, Slot] = {}
        self._leaves: dict[int, Slot] = {}

    def fitting(self, grads: Grads, edges: Sequence[Edge | None], sender: str | None = None) -> Grads:
        """Makes what a node returned fit the slots that it goes into, or refuses it.

        Args:
            grads: What it returned.
            edges: Its edges.
            sender: Its name; ``None`` for what the backward starts with.

        Returns:
            The gradients; the very same where nothing had to be done.

        Raises:
            GradientError: There are too many or too few, or one can't be made to fit; torch's own message.
        """
        if len(grads) != len(edges):
            raise _refused(sender, f"number of gradients - expected {len(edges)}, but got {len(grads)}")
        return tuple(
            [
                grad
                if grad is None or edge is None
                else received(grad, self.of(edge.node, edge.input_nr), index, sender)
                for index, (grad, edge) in enumerate(zip(grads, edges, strict=True))
            ]
        )

    def of(self, node: int, input_nr: int) -> Slot:
        """Returns one slot."""
        record = self._graph.nodes[node]
        meta = record.grad_outputs[input_nr]
        if record.kind == "accumulate":
            slot = self._leaves.get(node)
            if slot is None:
                dtype = _nodes.variable(self._nodes[node]).grad_dtype
                slot = self._leaves[node] = _slot(meta)._replace(dtype=dtype)
            return slot
        slot = self._alike.get(meta)
        if slot is None:
            slot = self._alike[meta] = _slot(meta)
        return slot


def _slot(meta: TensorMeta) -> Slot:
    sizes = meta.shape if meta.shape is not None and all(type(size) is int for size in meta.shape) else None
    return Slot(sizes, getattr(torch, meta.dtype), torch.device(meta.device))  # type: ignore[arg-type]


def received(grad: torch.Tensor, slot: Slot, index: int, sender: str | None) -> torch.Tensor:
    """Makes a gradient fit the slot that it goes into, or refuses it.

    Args:
        grad: What a node returned.
        slot: Where it goes.
        index: Which of the node's gradients it is.
        sender: The node's name; ``None`` for what the backward starts with.

    Returns:
        The gradient, reduced and cast; the very same where nothing had to be done.

    Raises:
        GradientError: It has a shape, dtype or device that can't be made to fit; torch's own message.
    """
    if grad.is_nested:
        return grad
    if slot.shape is not None and grad.shape != slot.shape:
        grad = _sum_to(grad, slot.shape, index, sender)
    if slot.dtype is not None and grad.dtype is not slot.dtype:
        grad = _cast(grad, slot.dtype, index, sender)
    if grad.device != slot.device:
        grad = _moved(grad, slot.device, index, sender)
    return grad


def _sum_to(grad: torch.Tensor, shape: tuple[int, ...], index: int, sender: str | None) -> torch.Tensor:
    """See Note [sum_to]."""
    leading = grad.dim() - len(shape)
    if leading < 0 or any(
        wanted not in (1, size) for wanted, size in zip(shape, grad.shape[leading:], strict=True)
    ):
        raise _refused(
            sender,
            f"gradient at index {index} - got {list(grad.shape)} but expected shape compatible with {list(shape)}",
        )
    return grad.sum_to_size(shape)


def _cast(grad: torch.Tensor, dtype: torch.dtype, index: int, sender: str | None) -> torch.Tensor:
    """See Note [The slot's dtype]."""
    if not grad.is_floating_point() and grad.is_complex() != dtype.is_complex:
        raise _refused(
            sender,
            f"gradient at index {index} - expected dtype {_nodes.dtype_name(dtype)} but got "
            f"{_nodes.dtype_name(grad.dtype)}, which the engine doesn't cast: it isn't real",
        )
    return grad.to(dtype)


def _moved(grad: torch.Tensor, device: torch.device, index: int, sender: str | None) -> torch.Tensor:
    """Only a scalar is moved."""
    if grad.dim() == 0:
        return grad.to(device)
    raise _refused(sender, f"gradient at index {index} - expected device {device} but got {grad.device}")


def _refused(sender: str | None, what: str) -> GradientError:
    by = "" if sender is None else f"Function {sender} returned an "
    return GradientError(f"{by}invalid {what}")
