"""What the debugger writes: a tensor, a step, a place, each in a line."""

from __future__ import annotations

import linecache
from collections.abc import Sequence

import torch

from autograd_lab._torch import tensors as _tensors
from autograd_lab.draw import digits
from autograd_lab.records import Graph, Node

Grads = Sequence[torch.Tensor | None]

MOST = 12
"""Numbers of a tensor that are written out."""


def name(node: Node) -> str:
    """Writes which node it is.

    Example:
        >>> name(Node(3, "AccumulateGrad", "accumulate", 9, (), (), variable="w"))
        '#3 w'
    """
    return f"#{node.id} {node.variable or node.name}"


def line(graph: Graph, place: int, came: Grads, went: Grads) -> str:
    """Writes what a node did: which it is, what came in, what went out and to whom.

    Args:
        graph: The graph.
        place: The node's id.
        came: What came in.
        went: What it returned, one for each edge.

    Returns:
        One line.
    """
    node = graph.node(place)
    parts = [f"{name(node)}  in {', '.join(map(value, came))}"]
    if node.kind == "accumulate":
        parts.append(f"→ {node.variable}.grad")
    else:
        sent = [
            f"{value(grad)} → {name(graph.node(edge.node))}"
            for grad, edge in zip(went, node.next, strict=False)
            if edge is not None
        ]
        parts.append(f"out {', '.join(sent) or 'nothing'}")
    return "  ".join(parts)


def value(tensor: torch.Tensor | None) -> str:
    """Writes a tensor: the number if it's one, all numbers if they're few, else shape and norm.

    Example:
        >>> value(torch.tensor(-8.0)), value(torch.ones(2)), value(None)
        ('−8', 'f32[2] [1, 1]', 'none')
    """
    if tensor is None:
        return "none"
    size = "?" if tensor.is_nested else ",".join(map(str, tensor.shape))
    dtype = (
        str(tensor.dtype)
        .removeprefix("torch.")
        .replace("float", "f")
        .replace("int", "i")
        .replace("complex", "c")
    )
    kind = f"{dtype}[{size}]"
    with torch.no_grad(), _tensors.unseen():
        elements = _tensors.elements(tensor)
        if elements is None or tensor.is_nested:
            return kind
        if elements is tensor and tensor.numel() == 1:
            return digits.number(tensor.reshape(()).item())
        if elements is tensor and tensor.numel() <= MOST:
            return f"{kind} [{', '.join(map(digits.number, tensor.reshape(-1).tolist()))}]"
        if not (elements.is_floating_point() or elements.is_complex()):
            return kind
        return f"{kind} of norm {digits.number(torch.linalg.vector_norm(elements).item())}"


def details(tensor: torch.Tensor | None) -> str:
    """Writes a tensor as ``value`` does, and of one with many numbers also which they are.

    Example:
        >>> details(torch.arange(20.0) - 1)
        'f32[20] of norm 46.15, from −1 to 18, mean 8.5, 1 zero'
    """
    short = value(tensor)
    if tensor is None or not tensor.is_floating_point() or "of norm" not in short:
        return short
    with torch.no_grad(), _tensors.unseen():
        elements = _tensors.elements(tensor)
        assert elements is not None  # they had a norm
        finite = elements[elements.isfinite()]
        counts = [
            ("zero", int((elements == 0).sum())),
            ("nan", int(elements.isnan().sum())),
            ("inf", int(elements.isinf().sum())),
        ]
        parts = [short]
        if finite.numel():
            low, high = (digits.number(one.item()) for one in finite.aminmax())
            parts += [f"from {low} to {high}", f"mean {digits.number(finite.mean().item())}"]
        parts += [
            f"{count} {what}{'s' if what == 'zero' and count > 1 else ''}" for what, count in counts if count
        ]
    return ", ".join(parts)


def made_at(node: Node) -> list[str]:
    """Writes where in the forward a node was made: the place, and the line of code that stands there.

    Example:
        >>> made_at(Node(0, "MulBackward0", "op", 1, (), ()))
        ['unknown: the forward was not watched']
    """
    if node.kind == "accumulate":
        return ["a leaf"]
    parts = [
        "" if node.source is None else str(node.source),
        f"in module {node.module}" if node.module else "",
        f"by {node.call.name}" if node.call is not None else "",
    ]
    where = ", ".join(part for part in parts if part) or "unknown: the forward was not watched"
    code = "" if node.source is None else linecache.getline(node.source.file, node.source.line).strip()
    return [where, f"    {code}"] if code else [where]
