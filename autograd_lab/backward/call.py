"""``call_function``: one node's turn, with its hooks.

``torch/csrc/autograd/engine.cpp`` (``call_function``), ``python_hook.cpp`` and ``python_function.cpp``.

Note [The order of hooks]
When a node's turn comes, its gradients pass through the hooks of its tensors (``Tensor.register_hook``, each sees the
slot that is its tensor), then through the node's pre-hooks (``Node.register_prehook``, which see all slots). Then the
node runs. What it returns is made to fit the receiving slots, and then goes through the post-hooks
(``Node.register_hook``), which see what came in, too. Each hook sees what the one before it made of it; ``None``
changes nothing.

Note [What a Python Function returns]
A C++ node returns one gradient for each of its edges. A Python Function returns one for each argument of its
``forward``, numbers and flags included, and has edges for the tensors only. More is let pass if it's ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from autograd_lab._torch import glass as _glass
from autograd_lab._torch import hooks as _hooks
from autograd_lab._torch import nodes as _nodes
from autograd_lab.errors import GradientError, ReleasedError

Grads = tuple[torch.Tensor | None, ...]
Hooks = Mapping[int, Callable[..., Any]]


def hooks_of(node: Any) -> tuple[Hooks, Hooks]:
    """Gives a node's pre-hooks and post-hooks."""
    if _hooks.none_yet():
        return _hooks.NEITHER
    with _hooks.reading_allowed:
        return _hooks.of_node(node)


def through(hooks: Hooks, grads: Grads, *others: Grads) -> Grads:
    """Has each hook see the gradients and change them.

    Args:
        hooks: The node's pre-hooks or post-hooks.
        grads: What they may change.
        others: What they see besides.

    Returns:
        What they made of it.

    Raises:
        GradientError: A hook returned something else than gradients like these.
    """
    for hook in tuple(hooks.values()):
        result = hook(grads, *others)
        if result is not None:
            changed = result if isinstance(result, tuple) else (result,)
            _check_hook(hook, grads, changed)
            grads = changed
    return grads


def _check_hook(hook: Callable[..., Any], before: Sequence[Any], after: Sequence[Any]) -> None:
    name = getattr(hook, "__name__", "<unknown>")
    if len(before) != len(after):
        raise GradientError(
            f"hook '{name}' has returned an incorrect number of values (got {len(after)}, but expected {len(before)})"
        )
    for old, new in zip(before, after, strict=True):
        if new is None or new is old:
            continue
        if old is None:
            raise GradientError("can't replace a None gradient with a non-None value")
        if not isinstance(new, torch.Tensor):
            raise TypeError(f"expected Variable, but hook returned '{type(new).__name__}'")
        if (old.dtype, old.device, old.layout) != (new.dtype, new.device, new.layout):
            raise GradientError(
                f"hook '{name}' has changed the type of value (was {old.type()} got {new.type()})"
            )
        if not old.is_nested and old.shape != new.shape:
            raise GradientError(f"hook '{name}' has changed the size of value")


def run(node: Any, grads: Grads) -> Grads:
    """Runs a node.

    Args:
        node: Any node but an ``AccumulateGrad``.
        grads: One for each slot, materialised for a Python Function that wants them so.

    Returns:
        One for each edge.

    Raises:
        ReleasedError: An earlier backward freed what it saved.
        GradientError: A Python Function returned too few or too many, or one for an argument that is no tensor.
    """
    try:
        returned = _nodes.run(node, grads)
    except RuntimeError as error:
        if "after they have already been freed" in str(error):
            raise ReleasedError(
                f"{_nodes.name(node)} can't run: an earlier backward freed what it had saved. Pass retain_graph=True "
                f"to that one. Torch says: {error}"
            ) from error
        raise
    return _for_edges(node, returned) if _glass.is_function(node) else returned


def _for_edges(node: Any, returned: Grads) -> Grads:
    """See Note [What a Python Function returns]."""
    wanted: tuple[bool, ...] = node.needs_input_grad
    name = _nodes.name(node)
    if len(returned) > len(wanted) and all(grad is None for grad in returned[len(wanted) :]):
        returned = returned[: len(wanted)]
    if len(returned) != len(wanted):
        raise GradientError(
            f"function {name} returned an incorrect number of gradients (expected {len(wanted)}, got {len(returned)})"
        )
    for_tensors = iter([grad for grad, is_wanted in zip(returned, wanted, strict=True) if is_wanted])
    return tuple(None if edge[0] is None else next(for_tensors) for edge in node.next_functions)
