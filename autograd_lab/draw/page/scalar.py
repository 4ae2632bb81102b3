"""A computation on single numbers, as the page plays it: a graph and a trace, with the numbers of the chain rule.

Relies on the records. Promises that every number is the record's. A ``ScalarGraph`` says in which order its operations
run; a leaf takes its turn as soon as all has come that goes to it, as in the engine.

Note [The page's scalars]
``graphs[0].scalar`` of a page of a ``ScalarGraph`` has, for each node, what it made in the forward and what that is
called, how people write the operation, and the operands that no gradient goes to; and for each edge the local gradient:

    { "name": [S], "value": [number|null], "symbol": [S], "constants": [[[slot, S, number|null]]],
      "local": [number|null], "arrives": [number|null] }

A node of an operation stands for the variable that comes out of it, a leaf's node for the leaf. What arrives by an edge
is in the steps too, as the norm and mean of a gradient of one element, of which nobody wrote down shape and dtype: the
``meta`` of such statistics is ``null``. Nobody read torch's counter either: ``nodes.sequence`` says the order alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from autograd_lab.draw.page.strings import Strings, plain
from autograd_lab.records import (
    Contribution,
    Edge,
    GradStats,
    Graph,
    Node,
    Number,
    Operation,
    ScalarGraph,
    Step,
    Trace,
    Variable,
)

_LEAF = 2**64 - 1
_ONE = GradStats(None, 1.0, 1.0, 1.0)  # type: ignore[arg-type] # see Note [The page's scalars]


class _Laid(NamedTuple):
    """A node of the graph: an operation or a leaf, the variable that it stands for, and what goes on from it."""

    operation: Operation | None
    variable: Variable


def played(graph: ScalarGraph) -> Trace:
    """Returns a computation on single numbers as a backward that ran.

    Args:
        graph: The computation.

    Returns:
        A trace with a step for each operation and each leaf.

    Example:
        >>> from autograd_lab.records import Operand
        >>> y, w = Variable(0, "output", "y", 6.0, 1.0), Variable(1, "leaf", "w", 3.0, 2.0)
        >>> trace = played(ScalarGraph((y, w), (Operation(0, "MulBackward0", "×", (Operand(1, 2.0, 2.0),), 0),)))
        >>> [node.name for node in trace.graph.nodes], trace.steps[1].grad_outputs[0].norm
        (['MulBackward0', 'AccumulateGrad'], 2.0)
    """
    laid = _laid(graph)
    index_of = {each.variable.id: index for index, each in enumerate(laid)}
    nodes = tuple(_node(index, each, index_of, graph) for index, each in enumerate(laid))
    arrived: dict[int, list[Contribution]] = defaultdict(list)
    roots: tuple[Edge, ...] = ()
    if laid:
        root = index_of[graph.variables[0].id]
        roots = (Edge(root, 0, graph.variables[0].name),)
        arrived[root].append(Contribution(0, None, 0, _ONE))
    steps = []
    for index, each in enumerate(laid):
        out = []
        for slot, edge in enumerate(nodes[index].next):
            assert each.operation is not None or edge is None
            arrives = None if each.operation is None else _stats(each.operation.operands[slot].arrives)
            out.append(None if edge is None else arrives)
            if edge is not None:
                arrived[edge.node].append(Contribution(0, index, slot, arrives))
        came = _stats(each.variable.grad)
        steps.append(Step(index, index, (came,), tuple(out), contributions=tuple(arrived[index])))
    return Trace(Graph(nodes, roots), tuple(steps))


def scalars(graph: ScalarGraph, strings: Strings) -> dict[str, Any]:
    """Returns the numbers of Note [The page's scalars].

    Args:
        graph: The computation.
        strings: Where texts go.
    """
    laid = _laid(graph)
    operations = [each.operation for each in laid]
    known = {each.variable.id for each in laid}
    edges = [
        operand
        for operation in operations
        if operation is not None
        for operand in operation.operands
        if operand.variable in known
    ]
    return {
        "name": [strings.at(each.variable.name) for each in laid],
        "value": [plain(each.variable.value) for each in laid],
        "symbol": [-1 if operation is None else strings.at(operation.symbol) for operation in operations],
        "constants": [
            [] if operation is None else list(_constants(operation, known, graph, strings))
            for operation in operations
        ],
        "local": [plain(operand.local) for operand in edges],
        "arrives": [plain(operand.arrives) for operand in edges],
    }


def _laid(graph: ScalarGraph) -> list[_Laid]:
    """The operations in their order, and each leaf as soon as all has come that goes to it."""
    made = {operation.result for operation in graph.operations}
    coming = [0] * len(graph.variables)
    for operation in graph.operations:
        for operand in operation.operands:
            coming[operand.variable] += 1
    variables = graph.variables
    laid = [_Laid(None, variables[0])] if variables and not coming[0] and 0 not in made else []
    for operation in graph.operations:
        laid.append(_Laid(operation, variables[operation.result]))
        for operand in operation.operands:
            coming[operand.variable] -= 1
            leaf = variables[operand.variable]
            if not coming[leaf.id] and leaf.id not in made and leaf.kind == "leaf":
                laid.append(_Laid(None, leaf))
    return laid


def _node(index: int, each: _Laid, index_of: dict[int, int], graph: ScalarGraph) -> Node:
    if each.operation is None:
        return Node(index, "AccumulateGrad", "accumulate", _LEAF, variable=each.variable.name)
    operands = each.operation.operands
    into = tuple(
        Edge(index_of[operand.variable], 0, graph.variables[operand.variable].name)
        if operand.variable in index_of
        else None
        for operand in operands
    )
    return Node(index, each.operation.node, "op", len(graph.operations) - each.operation.id, next=into)


def _constants(
    operation: Operation, known: set[int], graph: ScalarGraph, strings: Strings
) -> Iterator[list[Any]]:
    for slot, operand in enumerate(operation.operands):
        variable = graph.variables[operand.variable]
        if variable.id not in known:
            yield [slot, strings.at(variable.name), plain(variable.value)]


def _stats(number: Number | None) -> GradStats | None:
    if number is None:
        return None
    size = abs(number)
    return GradStats(None, size, size, number)  # type: ignore[arg-type] # see Note [The page's scalars]
