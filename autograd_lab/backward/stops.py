"""Where ``Engine.run`` stops: what ``until`` means."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from typing import TypeAlias

from autograd_lab.errors import OptionError
from autograd_lab.records import Graph, Node, Step

Until: TypeAlias = int | str | Callable[[Step], bool] | None
"""A node's id, a name, ``"nonfinite"``, a function of a ``Step``, or ``None``."""

NONFINITE = "nonfinite"

_CALL = re.compile(r"#\d+")
"""Which call of a module it was: ``cell#2``."""


def before(until: Until, graph: Graph) -> Set[int]:
    """Gives the ids of the nodes that a run stops before.

    Args:
        until: See ``Engine.run``.
        graph: The graph.

    Returns:
        The ids; none where it stops after a step, or never.

    Raises:
        OptionError: There's no node of that id or name.
    """
    if until is None or until == NONFINITE or callable(until):
        return frozenset()
    if isinstance(until, int) and not isinstance(until, bool):
        found = frozenset({until} if 0 <= until < len(graph) else ())
    elif isinstance(until, str):
        found = frozenset(node.id for node in graph.nodes if _is_called(until, node)) | _of_tensor(
            until, graph
        )
    else:
        raise OptionError(
            f"until={until!r} isn't one; use a node's id, a name, 'nonfinite' or a function of a Step"
        )
    if not found:
        raise OptionError(
            f"until={until!r} is no node of this graph; use an id, a node's, leaf's, tensor's or module's name"
        )
    return found


def after(until: Until) -> Callable[[Step], bool]:
    """Gives the function that says whether a run stops after a step."""
    if until == NONFINITE:
        return nonfinite
    return until if callable(until) else lambda _: False


def nonfinite(step: Step) -> bool:
    """Returns whether NaN or inf came in or went out."""
    return any(
        stats is not None and stats.finite is False for stats in (*step.grad_outputs, *step.grad_inputs)
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
