"""Where the debugger stops: what ``break`` takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from autograd_lab.backward import stops
from autograd_lab.errors import OptionError, nearest
from autograd_lab.records import Graph, Step

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
    number = _ID.fullmatch(text)
    until: Any = text if number is None else int(number[1])
    try:
        is_over = stops.after(until)
    except OptionError as error:  # no number behind "norm>"
        raise OptionError(f"break {error}") from None
    return Break(text, _nodes(text, until, graph), is_over)


def _nodes(text: str, until: Any, graph: Graph) -> frozenset[int]:
    try:
        return frozenset(stops.before(until, graph))
    except OptionError:
        hint = nearest(text, stops.known(graph), "graph lists the nodes")
        raise OptionError(
            f"break {text}: there is no node, leaf, tensor or module of that name; {hint}"
        ) from None
