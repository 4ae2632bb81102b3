"""The ``"scalar"`` view: a computation on single numbers, as a textbook draws the chain rule.

The forward runs from left to right: variables are circles with their values, operations are boxes between them. On
the way back each connection has its local gradient and the gradient that arrives by it, and beside each leaf stands
the product that the chain rule makes of them.

Relies on the records, ``picture``, ``digits`` and ``chain``. Promises to write down no number that the record
doesn't hold: a product is written only where it comes to the gradient that the record says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from autograd_lab.draw.digits import number, superscript
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.views.caption import scalar_summary, scalar_title
from autograd_lab.draw.views.chain import WrittenChain
from autograd_lab.draw.views.legend import legend as explained
from autograd_lab.records import Number, Operand, Operation, ScalarGraph, Variable

DETAILS = ("expression", "values", "gradients")
"""How much is drawn; each holds what those before it do."""

_LOOKS = {"output": "output", "intermediate": "variable", "leaf": "leaf", "constant": "constant"}


def scalar_picture(
    graph: ScalarGraph,
    *,
    detail: str = "gradients",
    direction: str = "right",
    title: str | None = None,
    legend: bool = True,
) -> Picture:
    """Draws a computation on single numbers.

    Args:
        graph: The computation.
        detail: One of ``DETAILS``: the expression alone, with the forward values, or with the gradients too.
        direction: Which way the forward goes on the page: one of ``picture.DIRECTIONS``.
        title: Written above the picture; ``None`` for what it's of, ``""`` for nothing.
        legend: Whether the picture explains its signs.

    Returns:
        The picture: variables are ``v0``, ``v1``, …, operations ``o0``, ``o1``, … by id, and the products beside
        the leaves ``c0``, ``c1``, … by the variable's id.

    Example:
        >>> y, w = Variable(0, "output", "y", 6.0, 1.0), Variable(1, "leaf", "w", 3.0, 2.0)
        >>> graph = ScalarGraph((y, w), (Operation(0, "MulBackward0", "×", (Operand(1, 2.0, 2.0),), 0),))
        >>> scalar_picture(graph, detail="expression").boxes[-1].lines
        (Line(text='×', tone='symbol'),)
    """
    gradients = detail == "gradients"
    boxes = [_variable(variable, graph, detail) for variable in _in_order(graph)]
    arrows: list[Arrow] = []
    for operation in graph.operations:
        boxes.append(_operation(operation))
        arrows += _arrows(operation, graph, gradients)
    if gradients and graph.variables:
        chain = WrittenChain(graph)
        for variable in graph.variables:
            if variable.kind == "leaf" and variable.grad is not None:
                boxes.append(_answer(variable, chain))
                arrows.append(Arrow(f"c{variable.id}", f"v{variable.id}", look="answer"))
    return Picture(
        tuple(boxes),
        tuple(arrows),
        scalar_title(graph, detail) if title is None else title,
        direction,
        legend=explained(boxes, arrows) if legend else (),
        summary=scalar_summary(graph, detail),
    )


def _in_order(graph: ScalarGraph) -> list[Variable]:
    """Returns the variables in the order met from the output on, in which Graphviz tends to draw operands."""
    met = dict.fromkeys(operand.variable for operation in graph.operations for operand in operation.operands)
    indices = range(len(graph.variables))
    return [graph.variables[i] for i in dict.fromkeys((*indices[:1], *met, *indices))]


def _variable(variable: Variable, graph: ScalarGraph, detail: str) -> Box:
    lines = []
    if variable.name is not None:
        lines.append(Line(variable.name, "variable"))
    # A constant without a name has only its value to be known by.
    if variable.value is not None and (
        detail != "expression" or (variable.name is None and variable.kind == "constant")
    ):
        lines.append(Line(number(variable.value), "value"))
    look = _LOOKS.get(variable.kind, "variable") if lines or variable.kind != "intermediate" else "unnamed"
    return Box(f"v{variable.id}", tuple(lines), look, _tooltip(variable, graph))


def _tooltip(variable: Variable, graph: ScalarGraph) -> str:
    name = variable.name or f"variable {variable.id}"
    lines = [f"{name}: {variable.kind}"]
    lines.append("value not kept" if variable.value is None else f"value {variable.value!r}")
    if variable.grad is not None:
        lines.append(f"d {graph.variables[0].name or 'output'} / d {name} = {variable.grad!r}")
    return "\n".join(lines)


def _operation(operation: Operation) -> Box:
    power = re.fullmatch(r"\^([-−]?\d+)", operation.symbol)
    text = f"(·){superscript(power[1])}" if power else operation.symbol
    return Box(f"o{operation.id}", (Line(text, "symbol"),), "operation", operation.node)


def _arrows(operation: Operation, graph: ScalarGraph, gradients: bool) -> Iterator[Arrow]:
    here = f"o{operation.id}"
    for operand in operation.operands:
        local = _local(operation, operand, graph) if gradients else None
        lines = (Line(local, "local"),) if local else ()
        back = _back(operand.arrives) if gradients else ()
        yield Arrow(f"v{operand.variable}", here, lines, "forward", back=back)
    grad = graph.variables[operation.result].grad
    yield Arrow(here, f"v{operation.result}", look="forward", back=_back(grad) if gradients else ())


def _back(gradient: Number | None) -> tuple[Line, ...]:
    return () if gradient is None else (Line(number(gradient), "gradient"),)


def _local(operation: Operation, operand: Operand, graph: ScalarGraph) -> str | None:
    if operand.local is None:
        return None
    result, variable = graph.variables[operation.result].name, graph.variables[operand.variable].name
    # Where one variable goes in twice, neither connection's gradient is the whole of ∂result/∂variable.
    once = sum(other.variable == operand.variable for other in operation.operands) == 1
    if result is None or variable is None or not once:
        return f"local {number(operand.local)}"
    return f"∂{result}/∂{variable} = {number(operand.local)}"


def _answer(variable: Variable, chain: WrittenChain) -> Box:
    *names, numbers = chain.lines(variable)
    lines = (*(Line(text, "rule") for text in names), Line(numbers, "gradient"))
    return Box(f"c{variable.id}", lines, "answer")
