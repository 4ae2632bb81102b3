"""What a Python Function's backward is called with where a gradient is undefined.

Relies on the place of one flag in a Python Function's node: see Note [Materialised gradients]. Without it a Function
would be given ``None`` where it counts on zeros, or zeros where it asked for ``None``.

Note [Materialised gradients]
A Python Function gets zeros in place of undefined gradients, unless it called ``ctx.set_materialize_grads(False)``.
That flag can be set from Python but not read. Its place is found by setting it to both values on a node made for the
purpose: the one byte that changes is it. What the zeros look like is known in C++ only (``output_info``; an output that
is marked as not differentiable has no metadata either). So a node that has both gradients and undefined ones is started
in the native engine (which also runs its tensor hooks, see Note [Tensor hooks] in ``glass.py``) with an ``apply`` of
its own that keeps what it's called with and raises.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import GradientEdge, Node

from autograd_lab._torch import hooks as _hooks
from autograd_lab._torch.glass import Grads, started


def is_function(node: Node) -> bool:
    """Says whether a node is a Python Function's."""
    return isinstance(node, BackwardCFunction)


def materializes(node: Node) -> bool:
    """Says whether a Python Function wants zeros for undefined gradients. See Note [Materialised gradients]."""
    return ctypes.string_at(id(node), type(node).__basicsize__)[_place_of_flag()] != 0


@functools.cache
def _place_of_flag() -> int:
    class Probe(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            del ctx
            return x.clone()

    with torch.enable_grad(), torch.inference_mode(False):
        node: Any = Probe.apply(torch.zeros((), requires_grad=True)).grad_fn  # type: ignore[no-untyped-call]
    size = type(node).__basicsize__
    seen = []
    for flag in (False, True):
        node.materialize_grads = flag
        seen.append(ctypes.string_at(id(node), size))
    (place,) = [place for place in range(size) if (seen[0][place], seen[1][place]) == (0, 1)]
    return place


class _CaughtError(Exception):
    """Leaves the native engine with what it was about to run a Function with."""


def materialized(node: Any, grads: Grads, *, create_graph: bool) -> tuple[Grads, Grads]:
    """Gives the zeros that a Function gets for undefined gradients. See Note [Materialised gradients].

    Args:
        node: A Python Function's node, that materialises.
        grads: Not all of them undefined.
        create_graph: As for ``through_tensor_hooks``.

    Returns:
        The gradients as the tensors' hooks made them, undefined ones still so; and the same with zeros in.
    """
    caught: list[Grads] = []

    def catch(*arguments: torch.Tensor | None) -> None:
        caught.append(arguments)
        raise _CaughtError

    slots = [slot for slot, grad in enumerate(grads) if grad is not None]
    edges = tuple(GradientEdge(node, slot) for slot in slots)
    onward = tuple(GradientEdge(*edge) for edge in node.next_functions if edge[0] is not None)[:1]
    node.apply = catch  # shadows the method
    try:
        with _pre_hooks_put_aside(node), contextlib.suppress(_CaughtError):
            started(edges, tuple(grads[slot] for slot in slots), onward, create_graph=create_graph)
    finally:
        del node.apply
    (filled,) = caught
    return tuple(None if grads[slot] is None else grad for slot, grad in enumerate(filled)), filled


@contextlib.contextmanager
def _pre_hooks_put_aside(node: Node) -> Iterator[None]:
    with _hooks.reading_allowed:
        hooks: Any = _hooks.pre_hooks(node)
    were = dict(hooks)
    if were:
        hooks.clear()
    try:
        yield
    finally:
        if were:
            hooks.update(were)
