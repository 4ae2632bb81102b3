"""What the debugger writes: a tensor, a step, a place, each in a line."""

from __future__ import annotations

import linecache
import os
from typing import Literal

import torch

from autograd_lab._torch import readable as _readable
from autograd_lab._torch.run_node import Grads
from autograd_lab.backward.stats import Meter
from autograd_lab.draw import digits
from autograd_lab.errors import escaped
from autograd_lab.records import GradStats, Graph, Node

MOST = 12
"""Numbers of a tensor that are written out."""


def name(node: Node) -> str:
    """Writes which node it is.

    Example:
        >>> name(Node(3, "AccumulateGrad", "accumulate", 9, (), (), variable="w"))
        '#3 w'
    """
    return escaped(f"#{node.id} {node.variable or node.name}")


def line(graph: Graph, node_id: int, came: Grads, went: Grads) -> str:
    """Writes what a node did: which it is, what came in, what went out and to whom.

    Args:
        graph: The graph.
        node_id: The node's id.
        came: What came in.
        went: What it returned, one for each edge.

    Returns:
        One line.
    """
    node = graph.node(node_id)
    parts = [f"{name(node)}  in {', '.join(map(value, came))}"]
    if node.kind == "accumulate":
        leaf = escaped(node.variable or node.name)
        parts.append(f"→ {leaf}.grad" if came[0] is not None else f"{leaf}.grad stays as it is")
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
    if _is_listed(tensor):
        numbers = [digits.number(number) for number in _readable.plain(tensor).detach().reshape(-1).tolist()]
        return numbers[0] if len(numbers) == 1 else f"{_kind(tensor)} [{', '.join(numbers)}]"
    stats = _stats(tensor, "norm")
    if stats.unmeasured is not None:
        return f"{_kind(tensor)}, not measured: {stats.unmeasured}"
    return _kind(tensor) if stats.norm is None else f"{_kind(tensor)} of norm {digits.number(stats.norm)}"


def details(tensor: torch.Tensor | None) -> str:
    """Writes a tensor as ``value`` does, and of one with many numbers also what they are like.

    Example:
        >>> details(torch.arange(20.0) - 1)
        'f32[20] of norm 45.93, mean 8.5, largest magnitude 18, 1 zero'
    """
    if tensor is None or _is_listed(tensor):
        return value(tensor)
    stats = _stats(tensor, "full")
    numbers = (("mean", stats.mean), ("largest magnitude", stats.max_abs))
    counts = (("zero", stats.zeros), ("nan", stats.nans), ("inf", stats.infs))
    return ", ".join(
        [
            value(tensor),
            *(f"{what} {digits.number(number)}" for what, number in numbers if number is not None),
            *(
                f"{count} {what}{'s' if what == 'zero' and count > 1 else ''}"
                for what, count in counts
                if count
            ),
        ]
    )


def _is_listed(tensor: torch.Tensor) -> bool:
    """Whether all its numbers are written out."""
    look = _readable.plain(tensor)
    return (
        look.layout is torch.strided
        and not look.is_nested
        and look.numel() <= MOST
        and not isinstance(_readable.readable(tensor), str)
    )


def _kind(tensor: torch.Tensor) -> str:
    layout = _readable.plain(tensor).layout
    shown = "" if layout is torch.strided else f" {str(layout).removeprefix('torch.')}"
    return f"{_stats(tensor, 'meta').meta}{shown}"


def _stats(tensor: torch.Tensor, level: Literal["meta", "norm", "full"]) -> GradStats:
    dtype = _readable.plain(tensor).dtype
    measured = dtype.is_floating_point or dtype.is_complex
    measure = Meter(level if measured else "meta").measure(tensor)
    assert measure is not None  # there is a tensor
    return measure.finish()


def _from_here(file: str) -> str:
    """Returns a path from the working folder on, where it lies in that."""
    here = os.path.join(os.getcwd(), "")
    return file.removeprefix(here)


def made_at(node: Node) -> list[str]:
    """Writes where in the forward a node was made: the place, and the line of code that stands there.

    Example:
        >>> made_at(Node(0, "MulBackward0", "op", 1, (), ()))
        ['unknown: the forward was not watched']
    """
    if node.kind == "accumulate":
        return ["a leaf"]
    parts = [
        "" if node.source is None else str(node.source._replace(file=_from_here(node.source.file))),
        f"in module {node.module}" if node.module else "",
        f"by {node.call.name}" if node.call is not None else "",
    ]
    where = escaped(", ".join(part for part in parts if part)) or "unknown: the forward was not watched"
    code = "" if node.source is None else linecache.getline(node.source.file, node.source.line).strip()
    return [where, f"    {escaped(code)}"] if code else [where]
