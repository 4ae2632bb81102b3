"""A graph or a trace by module: a row for each, for graphs too large to be read node by node.

Relies on ``plan``, which says what is shown as one, and ``grid``. Promises a row for each module, in the order in which
the backward comes to them; what lies outside of all modules is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autograd_lab.draw import digits
from autograd_lab.draw.plan.collapse import Part, Plan, plan
from autograd_lab.draw.plan.sums import Ways, came_in, gradients_of, together
from autograd_lab.draw.tables.grid import MOST, Column, table_of
from autograd_lab.errors import Option, RenderError
from autograd_lab.records import Graph, Node, Step

OUTSIDE = "(no module)"
"""The row of the nodes that lie in no module."""

DEEPEST = 12
"""Levels of modules that are tried."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What one row sums up."""

    index: int
    name: str
    nodes: tuple[Node, ...]

    @property
    def graph(self) -> Graph:
        """The nodes as a graph, which counts bytes."""
        return Graph(self.nodes, ())


def module_depth(graph: Graph, *, repeats: bool = False) -> int | None:
    """Returns the greatest depth at which a table by module fits a screen; ``None`` where modules say nothing.

    Args:
        graph: The graph.
        repeats: Whether blocks that are alike are one row.

    Example:
        >>> nodes = [Node(i, "ExpBackward0", "op", 9 - i, module=f"net.{i}") for i in range(2)]
        >>> module_depth(Graph(tuple(nodes), ()))
        2
    """
    deepest = max((len(node.module.split(".")) for node in graph.nodes if node.module), default=0)
    for depth in range(min(deepest, DEEPEST), 0, -1):
        if 1 < len(_rows(plan(graph, depth=depth, repeats=repeats), graph)) <= MOST:
            return depth
    return None


def table_depth(graph: Graph, depth: int | None, repeats: bool) -> int | None:
    """Returns the depth of the table that is asked for; ``None`` for one with a row for each node.

    Args:
        graph: The graph.
        depth: The depth that was asked for.
        repeats: Whether blocks that are alike are to be one row, which takes a table by module.

    Raises:
        RenderError: Modules are asked for, and none is known.

    Example:
        >>> nodes = [Node(i, "ExpBackward0", "op", 9 - i, module=f"net.{i}") for i in range(2)]
        >>> [table_depth(Graph(tuple(nodes), ()), None, repeats) for repeats in (False, True)]
        [None, 1]
    """
    must_know_modules(graph, depth, repeats)
    return (module_depth(graph, repeats=True) or 1) if repeats and depth is None else depth


def must_know_modules(graph: Graph, depth: int | None, repeats: bool) -> None:
    """Raises where modules are asked for and none is known.

    Args:
        graph: The graph.
        depth: At which depth modules are to be shown as one, if at any.
        repeats: Whether blocks that are alike are to be shown once.

    Raises:
        RenderError: As said.

    Example:
        >>> must_know_modules(Graph((), ()), 1, False)
    """
    if (depth is None and not repeats) or not graph.nodes:
        return
    if all(node.module is None for node in graph.nodes):
        raise RenderError(
            Option("repeats" if depth is None else "depth"),
            " shows modules, and only a watched forward knows them: here none was called; make the loss and "
            "run its backward in `with lab.watch(model) as w:`, then render w.traces[0]",
        )


def module_table(
    graph: Graph, steps: Sequence[Step] = (), *, depth: int, repeats: bool = False, width: int
) -> str:
    """Writes a graph, or a trace of it, by module.

    Args:
        graph: The graph.
        steps: What ran of it.
        depth: Modules this deep are one row each; 0 is the whole model.
        repeats: Whether blocks that are alike are one row.
        width: Characters in a line.

    Returns:
        The table, each line ended by a newline.

    Example:
        >>> nodes = [Node(i, "ExpBackward0", "op", 9 - i, module=f"net.{i}") for i in range(2)]
        >>> print(module_table(Graph(tuple(nodes), ()), depth=2, width=80), end="")
         module  nodes
         ─────────────
         net.0       1
         net.1       1
    """
    rows = _rows(plan(graph, depth=depth, repeats=repeats), graph)
    row_of = {node.id: row.index for row in rows for node in row.nodes}
    ways = Ways(graph, [row_of[node.id] for node in graph.nodes])
    cells = _Cells(ways, {step.node: step for step in steps})
    return table_of(cells.columns, rows, width, always=("module", "nodes"))


def _rows(drawn: Plan, graph: Graph) -> list[_Row]:
    named: dict[str, list[Part]] = {}
    for part in drawn.parts:
        named.setdefault(_title(part), []).append(part)
    return [
        _Row(index, name, tuple(graph.nodes[i] for part in parts for i in part.nodes))
        for index, (name, parts) in enumerate(named.items())
    ]


def _title(part: Part) -> str:
    """Returns a module's name; of a node that is drawn by itself, that of the cluster it lies in."""
    if part.node is None:
        return part.module or "(model)"
    return ".".join(part.group) if part.group else OUTSIDE


class _Cells:
    """What stands in the row of a module."""

    def __init__(self, ways: Ways, steps: Mapping[int, Step]) -> None:
        self._ways = ways
        self._steps = steps
        self.columns: tuple[tuple[Column, Callable[[_Row], str]], ...] = (
            (Column("module", 0, "name"), lambda row: row.name),
            (Column("nodes", 4, "number"), lambda row: f"{len(row.nodes):,}"),
            (Column("ms", 3, "number"), self._ms),
            (Column("gradient in", 1, "number"), self._in),
            (Column("out", 2, "number"), self._out),
            (Column("saved", 5, "number"), lambda row: _bytes(row.graph.saved_activation_nbytes)),
            (Column("of parameters", 6, "number"), lambda row: _bytes(row.graph.saved_parameter_nbytes)),
        )

    def _ms(self, row: _Row) -> str:
        ran = [self._steps[node.id] for node in row.nodes if node.id in self._steps]
        times = [step.duration_ns for step in ran if step.duration_ns is not None]
        return f"{sum(times) / 1e6:.3f}" if times else ""

    def _in(self, row: _Row) -> str:
        norm = came_in([node.id for node in row.nodes], self._ways.came[row.index], self._steps)
        return "" if norm is None else digits.number(norm)

    def _out(self, row: _Row) -> str:
        norm = together(gradients_of(self._ways.went[row.index], self._steps))
        return "" if norm is None else digits.number(norm)


def _bytes(count: int) -> str:
    return digits.nbytes(count) if count else ""
