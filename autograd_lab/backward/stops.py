"""Where ``Engine.run`` stops: what ``until`` means."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Set
from typing import TypeAlias

from autograd_lab.errors import OptionError, nearest
from autograd_lab.records import Graph, Node, Step

Until: TypeAlias = int | str | Callable[[Step], bool] | None
"""A node's id, as ``3`` or ``"#3"``, a name, ``"leaf"``, ``"nonfinite"``, ``"norm>10"``, a function of a ``Step``, or
``None``."""

LEAF, NONFINITE = "leaf", "nonfinite"

_NORM = re.compile(r"norm\s*>\s*(.*)")
_ID = re.compile(r"#(\d+)")
"""A node's id as tables write it: ``#3``."""
_CALL = re.compile(r"#\d+")
"""Which call of a module it was: ``cell#2``."""


def before(until: Until, graph: Graph) -> Set[int]:
    """Returns the ids of the nodes that a run stops before.

    Args:
        until: See ``Engine.run``.
        graph: The graph.

    Returns:
        The ids; none where it stops after a step, or never.

    Raises:
        OptionError: There's no node of that id or name.
    """
    if until is None or until == NONFINITE or callable(until) or norm_limit(until) is not None:
        return frozenset()
    if isinstance(until, int) and not isinstance(until, bool):
        found = _of_id(until, graph)
    elif until == LEAF:
        found = frozenset(node.id for node in graph.leaves)
    elif isinstance(until, str):
        found = frozenset(node.id for node in graph.nodes if _is_called(until, node)) | _of_tensor(
            until, graph
        )
        if not found and (number := _ID.fullmatch(until)):
            found = _of_id(int(number[1]), graph)
    else:
        raise OptionError(
            f"until={until!r} is no place to stop; use a node's id, a name, 'leaf', 'nonfinite', 'norm>10' or a "
            "function of a Step"
        )
    if not found:
        hint = nearest(str(until), known(graph), "use an id, a node's, leaf's, tensor's or module's name")
        raise OptionError(f"until={until!r} is no node of this graph; {hint}")
    return found


def _of_id(number: int, graph: Graph) -> Set[int]:
    return frozenset({number} if 0 <= number < len(graph) else ())


def after(until: Until) -> Callable[[Step], bool]:
    """Returns the function that says whether a run stops after a step."""
    if until == NONFINITE:
        return nonfinite
    if (limit := norm_limit(until)) is not None:
        return functools.partial(_norm_is_over, limit)
    return until if callable(until) else lambda _: False


def measured(until: Until) -> bool:
    """Returns whether it takes statistics of gradients to know where to stop."""
    return until == NONFINITE or norm_limit(until) is not None


def known(graph: Graph) -> list[str]:
    """Returns all words and names at which a run of a graph can stop, sorted."""
    return sorted({LEAF, NONFINITE, "norm>", *_names(graph)})


def _names(graph: Graph) -> Iterator[str]:
    for node in graph.nodes:
        yield node.variable or node.name
        yield from node.aliases
        if node.module:
            yield node.module
    for _, _, edge in graph.edges:
        if edge.name:
            yield edge.name


def nonfinite(step: Step) -> bool:
    """Returns whether NaN or inf came in or went out."""
    return any(
        stats is not None and stats.finite is False for stats in (*step.grad_outputs, *step.grad_inputs)
    )


def norm_limit(until: Until) -> float | None:
    """Returns the ``X`` of ``"norm>X"``; ``None`` where it's something else.

    Raises:
        OptionError: What stands there is no number.

    Example:
        >>> norm_limit("norm > 1e3"), norm_limit("w")
        (1000.0, None)
    """
    found = _NORM.fullmatch(until) if isinstance(until, str) else None
    if found is None:
        return None
    try:
        return float(found[1])
    except ValueError:
        raise OptionError(f"{until}: write a number behind it, as in norm>10") from None


def _norm_is_over(limit: float, step: Step) -> bool:
    return any(
        stats is not None and stats.norm is not None and (stats.norm > limit or math.isnan(stats.norm))
        for stats in (*step.grad_outputs, *step.grad_inputs)
    )


def _is_called(name: str, node: Node) -> bool:
    """Whether it's a node's name, its leaf's, or that of its module (in any of its calls) or one around it."""
    if name in (node.name, node.variable, *node.aliases):
        return True
    paths = () if node.module is None else (node.module, _CALL.sub("", node.module))
    return any(f"{path}.".startswith(f"{name}.") for path in paths)


def _of_tensor(name: str, graph: Graph) -> Set[int]:
    """The nodes that the gradient of a named tensor flows into."""
    edges = (*graph.roots, *(edge for _, _, edge in graph.edges))
    return frozenset(edge.node for edge in edges if edge.name == name)
