"""From what a user calls ``outputs`` to the edges at which a backward would start.

Everything in the lab that takes ``outputs`` takes a tensor, a ``GradientEdge``, or any nesting of lists,
tuples and dicts of them, and comes through here. Entries of such a nesting that can't have a gradient (numbers,
``None``, integer tensors) are passed over, as long as one remains that has a graph: models return such things.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch.autograd.graph import GradientEdge, Node

from autograd_lab._torch import nodes as _nodes
from autograd_lab.capture.places import OutputNames
from autograd_lab.errors import GraphError, article

Outputs: TypeAlias = Any
"""A tensor, a ``GradientEdge``, or any nesting of list, tuple and dict of them."""

RootEdge: TypeAlias = tuple[Node, int]
"""A node, and which of its ``grad_outputs`` the output's gradient is."""


def roots(outputs: Outputs) -> list[RootEdge]:
    """Returns the edges at which a backward of these outputs would start.

    Args:
        outputs: See ``Outputs``.

    Returns:
        One edge for each output, in the order in which they stand.

    Raises:
        GraphError: There is no tensor in ``outputs``, or none of them has a graph.
    """
    found = list(_flatten(outputs))
    if not found:
        raise GraphError(
            f"outputs holds no tensor (it is {article(type(outputs).__name__)}); pass a loss or what a model returned"
        )
    edges = [
        _nodes.gradient_edge(item) if isinstance(item, torch.Tensor) else (item.node, item.output_nr)
        for item in found
        if _has_graph(item)
    ]
    if not edges:
        raise GraphError(_why_none(found))
    return edges


def names(outputs: Outputs, called: OutputNames = None) -> list[str | None]:
    """Returns what each root is called: its path of keys in ``outputs``, or else what the user's line calls it.

    Args:
        outputs: See ``Outputs``.
        called: What the line calls ``outputs``.

    Returns:
        One for each of ``roots``; ``None`` where it has no name.

    Example:
        >>> y = torch.ones(2, requires_grad=True) * 2
        >>> names({"loss": y.sum(), "hidden": [y, {"last": y}]}), names([y])
        (['loss', 'hidden[0]', 'hidden[1].last'], [None])
        >>> names([y, y], ("first", None)), names([y, y], "both"), names([y], "y"), names({"loss": y}, "out")
        (['first', None], ['both[0]', 'both[1]'], ['y'], ['loss'])
    """
    return [name or None for name, item in _begun_with(outputs, called) if _has_graph(item)]


def _begun_with(outputs: Outputs, called: OutputNames) -> Iterator[tuple[str, torch.Tensor | GradientEdge]]:
    """Returns tensors and edges with their names. Keys of a dictionary, or of a named tuple, speak for themselves."""
    if isinstance(called, tuple) and type(outputs) in (list, tuple) and len(outputs) == len(called):
        return itertools.chain.from_iterable(
            _begun_with(item, name) for name, item in zip(called, outputs, strict=True)
        )
    if not isinstance(called, str):
        return _named(outputs)
    while type(outputs) in (list, tuple) and len(outputs) == 1:
        (outputs,) = outputs
    has_keys = isinstance(outputs, Mapping) or (
        not isinstance(outputs, GradientEdge) and hasattr(type(outputs), "_fields")
    )
    return _named(outputs, "" if has_keys else called)


def starts(outputs: Outputs) -> list[torch.Tensor | GradientEdge]:
    """Returns what ``torch.autograd.backward`` takes: the tensors and edges in ``outputs``, in order."""
    return list(_flatten(outputs))


def tensors(outputs: Outputs) -> Iterator[torch.Tensor]:
    """Returns the tensors in ``outputs``, in the order in which they stand."""
    return (item for item in _flatten(outputs) if isinstance(item, torch.Tensor))


def _flatten(outputs: Outputs) -> Iterator[torch.Tensor | GradientEdge]:
    return (item for _, item in _named(outputs))


def _named(outputs: Outputs, called: str = "") -> Iterator[tuple[str, torch.Tensor | GradientEdge]]:
    """Walks the nesting without recursion; a ``GradientEdge`` is itself a tuple, so it's looked for first."""
    waiting: list[tuple[str, Any]] = [(called, outputs)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, torch.Tensor | GradientEdge):
            yield name, item
        elif isinstance(item, Mapping):
            waiting.extend(_under_keys(name, item.items()))
        elif isinstance(item, tuple) and len(fields := getattr(type(item), "_fields", ())) == len(item) > 0:
            waiting.extend(_under_keys(name, zip(fields, item, strict=True)))
        elif isinstance(item, Sequence) and not isinstance(item, str | bytes):
            below = [(f"{name}[{index}]" if name else "", each) for index, each in enumerate(item)]
            waiting.extend(reversed(below))


def _under_keys(name: str, items: Iterable[tuple[Any, Any]]) -> list[tuple[str, Any]]:
    below = [(f"{name}.{_key(key)}" if name else _key(key), item) for key, item in items]
    return below[::-1]


def _key(key: Any) -> str:
    """A key as text; one of a class of its own runs no code here."""
    return str(key) if type(key) in (str, int, bool, float) else f"<{type(key).__name__}>"


def _has_graph(item: torch.Tensor | GradientEdge) -> bool:
    return isinstance(item, GradientEdge) or item.requires_grad


def _why_none(found: Sequence[torch.Tensor | GradientEdge]) -> str:
    first = found[0]
    assert isinstance(first, torch.Tensor)  # an edge has a graph
    what = article(f"{str(first.dtype).removeprefix('torch.')} tensor of shape {tuple(_shape(first))}")
    subject = (
        f"outputs is {what} that"
        if len(found) == 1
        else f"none of the {len(found)} tensors in outputs (the first is {what})"
    )
    verb = "has no graph" if len(found) == 1 else "has a graph"
    return f"{subject} {verb}: {_reason(first)}"


def _reason(tensor: torch.Tensor) -> str:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return "only floating and complex tensors have gradients; pass the loss, not an index or a mask"
    if tensor.is_inference():
        return "it was made in inference mode; compute it outside torch.inference_mode()"
    return (
        "it requires no gradient; nothing that went into it has requires_grad=True, or it was detached or computed "
        "under torch.no_grad()"
    )


def _shape(tensor: torch.Tensor) -> Sequence[Any]:
    return ["?"] if tensor.is_nested else tensor.shape
