"""What a backward node says of itself.

Relies on, of ``torch.autograd.graph.Node``:

- ``_sequence_nr()``: the engine's order. No public way; without it there's no order of execution to show.
- ``_input_metadata``: shape, dtype and device of each slot of ``grad_outputs``. No public way; without it
  the shapes of gradients are unknown until a backward has run.
- ``torch._C._functions.AccumulateGrad``: the type of a leaf's node. It's the one type with a ``variable``.
- ``ctx.next_functions`` in a Function's forward: a leaf's node can only be had by way of an operation on the leaf, and
  this is one that makes nothing. ``torch._C.DisableTorchFunction``: a subclass's own ``grad_fn`` isn't asked for.
- ``_forward_cls`` of Python Functions, and ``_lazy_backward_info`` on it where ``torch.compile`` made the
  Function: where the forward was written, and that a node is compiled. Without them such nodes look alike.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

from autograd_lab._torch import settings as _settings
from autograd_lab._torch.saved import SavedField, read, saved_fields

Shape = tuple[int | str, ...]
"""A shape as plain data."""

LEAF_SEQUENCE_NR = 2**64 - 1
"""The ``sequence_nr`` of every ``AccumulateGrad``: leaves run before anything else that is ready."""

ACCUMULATE_GRAD = torch._C._functions.AccumulateGrad  # type: ignore[attr-defined]
_NAMESPACE = re.compile(r"^(?:struct )?torch::autograd::")
_DTYPE = {
    value: str(value).removeprefix("torch.")
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}


def sequence_nr(node: Node) -> int:
    """Returns torch's counter for a node; the engine runs the highest first."""
    return node._sequence_nr()


@dataclass(frozen=True, slots=True)
class NodeType:
    """What all nodes of one Python type have in common.

    Attributes:
        kind: ``"op"``, ``"accumulate"``, ``"function"`` or ``"compiled"``.
        name: Torch's name for them without the C++ namespace; ``None`` where each node has its own
            (C++ Functions from extensions all share one Python type).
        saved: What they save.
    """

    kind: str
    name: str | None
    saved: tuple[SavedField, ...]


_TYPES: dict[type, NodeType] = {}


def type_of(node: Node) -> NodeType:
    """Returns what a node has in common with others of its type; looked up once for each type."""
    found = _TYPES.get(type(node))
    if found is None:
        shares_name = type(node).__name__ != "CppFunction"
        found = NodeType(_kind(node), _name(node) if shares_name else None, saved_fields(type(node)))
        if not issubclass(
            type(node), BackwardCFunction
        ):  # a user's class is theirs to define anew: don't keep it
            _TYPES[type(node)] = found
    return found


def name(node: Node) -> str:
    """Returns a node's name without its C++ namespace: ``"AccumulateGrad"``, ``"MulBackward0"``."""
    return type_of(node).name or _name(node)


def _name(node: Node) -> str:
    return _NAMESPACE.sub("", node.name())


def _kind(node: Node) -> str:
    if type(node) is ACCUMULATE_GRAD:
        return "accumulate"
    if not issubclass(type(node), BackwardCFunction):
        return "op"
    return "compiled" if hasattr(forward_class(node), "_lazy_backward_info") else "function"


def gradient_edge(tensor: torch.Tensor) -> tuple[Node, int]:
    """Returns the node that a tensor's gradient flows into, and which of its slots.

    ``torch.autograd.graph.get_gradient_edge`` gives the same, but makes views: of a leaf, which some layouts can't and
    which a subclass may see, and of what a Python Function returned, to keep the Function's node alive. Here it's the
    tensor that does.

    Args:
        tensor: Any tensor that requires a gradient.

    Returns:
        The node and the number of its slot.
    """
    with torch._C.DisableTorchFunction():
        node = tensor.grad_fn
        if node is None:
            with _settings.grad_mode(True), _settings.not_inference():
                (node,) = _LeafNode.apply(tensor)  # type: ignore[no-untyped-call]
        return node, tensor.output_nr


class _LeafNode(torch.autograd.Function):
    """Is used for its edge alone: a Function's node has its edges before the forward runs."""

    @staticmethod
    def forward(ctx: Any, leaf: torch.Tensor) -> Any:
        del leaf
        return (ctx.next_functions[0][0],)


def input_metadata(node: Node) -> Sequence[Any]:
    """Returns torch's description of each slot of a node's ``grad_outputs``: ``shape``, ``dtype``, ``device``.

    Where ``is_cpp_nested_tensor`` says so the slot takes a strided nested tensor: asking for its shape raises.
    """
    return node._input_metadata


def sizes(shape: Sequence[Any]) -> Shape:
    """Returns a shape as plain data; symbolic sizes are there as torch prints them, and aren't specialised."""
    for size in shape:
        if type(size) is not int:
            return tuple(size if type(size) is int else str(size) for size in shape)
    return tuple(shape)


def dtype_name(dtype: torch.dtype) -> str:
    """Returns torch's name for a dtype without the ``torch.``."""
    return _DTYPE[dtype]


def variable(node: Node) -> torch.Tensor:
    """Returns the leaf that an ``AccumulateGrad`` feeds."""
    return node.variable  # type: ignore[attr-defined,no-any-return]


def metadata(node: Node) -> dict[str, Any]:
    """Returns torch's dictionary on a node: what anomaly mode wrote, and what users put there.

    Reading it is public. Where there is none yet torch makes an empty one, which goes with the node.
    """
    return node.metadata  # type: ignore[return-value] # torch annotates the property as a method


def forward_class(node: Node) -> type | None:
    """Returns the ``torch.autograd.Function`` that a Python node came from; ``None`` for C++ nodes."""
    return getattr(node, "_forward_cls", None)


def forward_code(node: Node) -> Any:
    """Returns the code object of a Python Function's ``forward``; ``None`` where it isn't written in Python."""
    forward_cls = forward_class(node)
    if forward_cls is None:
        return None
    return getattr(inspect.unwrap(forward_cls.forward), "__code__", None)  # type: ignore[attr-defined]


def saved_values(node: Node) -> list[tuple[str, Any]]:
    """Returns what a node has saved now, as ``_torch.saved.read`` does: nothing is unpacked."""
    return read(node, type_of(node).saved)


def own_attributes(node: Node) -> list[tuple[str, Any]]:
    """Returns what a Python Function's code put on its ``ctx``, which is the node; nothing for C++ nodes."""
    return list(vars(node).items()) if issubclass(type(node), BackwardCFunction) else []
