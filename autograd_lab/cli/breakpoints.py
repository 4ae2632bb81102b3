"""Where the debugger stops: what ``break`` takes."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from autograd_lab.backward import stops
from autograd_lab.errors import OptionError
from autograd_lab.records import Graph, Step

LEAF = "leaf"
_NORM = re.compile(r"norm\s*>\s*(\S*)")
_ID = re.compile(r"#?(\d+)")


class Break(NamedTuple):
    """Where to stop.

    Attributes:
        text: As it was typed.
        before: The ids of the nodes before which to stop.
        after: Says whether to stop after a step.
    """

    text: str
    before: frozenset[int]
    after: Callable[[Step], bool]


def read(text: str, graph: Graph) -> Break:
    """Reads what was typed after ``break``.

    Args:
        text: ``leaf``, ``nonfinite``, ``norm>X``, a node's id, or the name of a node, leaf, tensor or module.
        graph: The graph.

    Returns:
        The breakpoint.

    Raises:
        OptionError: It's none of these; the message lists near names.

    Example:
        >>> read("norm>2", Graph((), ())).text
        'norm>2'
    """
    if (norm := _NORM.fullmatch(text)) is not None:
        return Break(text, frozenset(), _norm_over(_number(norm[1])))
    if text == LEAF:
        return Break(text, frozenset(node.id for node in graph.leaves), stops.after(None))
    number = _ID.fullmatch(text)
    until: Any = text if number is None else int(number[1])
    try:
        return Break(text, frozenset(stops.before(until, graph)), stops.after(until))
    except OptionError:
        near = difflib.get_close_matches(text, known(graph), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "graph lists the nodes"
        raise OptionError(
            f"break {text}: there is no node, leaf, tensor or module of that name; {hint}"
        ) from None


def known(graph: Graph) -> list[str]:
    """Gives all that ``break`` knows in a graph, sorted; for completion and for near names."""
    return sorted({LEAF, stops.NONFINITE, "norm>", *_names(graph)})


def _names(graph: Graph) -> Iterator[str]:
    for node in graph.nodes:
        yield node.variable or node.name
        yield from node.aliases
        if node.module:
            yield node.module
    for _, _, edge in graph.edges:
        if edge.name:
            yield edge.name


def _norm_over(limit: float) -> Callable[[Step], bool]:
    def is_over(step: Step) -> bool:
        return any(
            stats is not None and stats.norm is not None and (stats.norm > limit or math.isnan(stats.norm))
            for stats in (*step.grad_outputs, *step.grad_inputs)
        )

    return is_over


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"break norm>{text}: write a number behind it, as in norm>10") from None
