"""Records as tables for a terminal.

Relies on the records, ``grid``, ``digits`` and ``words``. Promises a text of the given width, plain and without
colours; ``most`` leaves rows out, and says how many. Importing it makes ``str()`` of a ``ScalarGraph`` such
a table, shortened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from autograd_lab.draw import digits
from autograd_lab.draw.digits import count
from autograd_lab.draw.tables.grid import MOST, WIDTH, Column, around, ends, table, table_of, terminal_width
from autograd_lab.draw.tables.modules import module_table
from autograd_lab.draw.words import called, figures, held, metas, place, some, state
from autograd_lab.records import Edge, Graph, Node, Operation, ScalarGraph, Variable
from autograd_lab.records.display import as_text

_MOST_ROOTS = 8


def graph_table(
    graph: Graph,
    *,
    width: int = WIDTH,
    most: int | None = None,
    depth: int | None = None,
    repeats: bool = False,
) -> str:
    """Writes a backward graph as a table, a row for each node in the engine's order.

    ``next`` is where the gradients go that the node returns, one entry for each slot: ``3`` is node 3, ``4:1`` the
    input slot 1 of node 4, ``–`` a slot from which no gradient is wanted. Columns in which nothing stands are left out.

    Args:
        graph: The graph.
        width: Characters.
        most: Rows; where there are more nodes, the first and the last are shown. ``None`` shows all.
        depth: Modules this deep are one row each; 0 is the whole model. ``None``: a row for each node.
        repeats: Whether, by module, blocks that are alike are one row.

    Returns:
        The table, each line ended by a newline, with a summary above it.

    Example:
        >>> leaf = Node(1, "AccumulateGrad", "accumulate", 1, variable="w")
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0, next=(Edge(1, 0),)), leaf), (Edge(0, 0, "y"),))
        >>> print(graph_table(graph), end="")
        2 nodes, 1 leaf, 1 output: → 0 (y)
         id  node            next  leaf
         ──────────────────────────────
          0  ExpBackward0    → 1
          1  AccumulateGrad        w
    """
    missing = f"{count(len(graph.unreached), 'parameter')} will get no gradient: {some(graph.unreached)}"
    closing = [missing] if graph.unreached else []
    if depth is not None:
        body = module_table(graph, depth=depth, repeats=repeats, width=width)
        return around(_summary(graph), body, closing, width)
    shown = ends(graph.nodes, most)
    gap = f"… {len(graph) - len(shown):,} more nodes …" if len(shown) < len(graph) else ""
    body = table_of(_COLUMNS, graph.nodes, width, always=("id", "node"), shown=shown, gap=gap)
    return around(_summary(graph), body, closing, width)


def scalar_table(graph: ScalarGraph, *, width: int = WIDTH, most: int | None = None) -> str:
    """Writes a computation on single numbers as a table, a row for each variable, the output first.

    Args:
        graph: The computation.
        width: Characters.
        most: Rows; where there are more variables, the first and the last are shown. ``None`` shows all.

    Returns:
        The table, each line ended by a newline, with a summary above it.

    Example:
        >>> from autograd_lab.records import Operand
        >>> y, w = Variable(0, "output", "y", 6.0, 1.0), Variable(1, "leaf", "w", 3.0, 2.0)
        >>> graph = ScalarGraph((y, w), (Operation(0, "MulBackward0", "×", (Operand(1, 2.0, 2.0),), 0),))
        >>> print(scalar_table(graph), end="")
        2 variables, 1 operation
         variable  kind    value  ∂y/∂·  made by
         ───────────────────────────────────────────────────────────
         y         output  6      1      × of w (local 2, arrives 2)
         w         leaf    3      2
    """
    made_by = {operation.result: operation for operation in graph.operations}
    shown = ends(graph.variables, most)
    rows = [_variable_row(variable, made_by.get(variable.id), graph) for variable in shown]
    output = graph.variables[0].name or "output" if graph.variables else "output"
    gap = f"… {len(graph.variables) - len(rows):,} more …" if len(rows) < len(graph.variables) else ""
    summary = f"{count(len(graph.variables), 'variable')}, {count(len(graph.operations), 'operation')}"
    columns = [
        Column("variable", 0, "name"),
        Column("kind", 3),
        Column("value", 1),
        Column(f"∂{output}/∂·", 2),
        Column("made by", 4),
    ]
    return around(summary, table(columns, rows, width, gap), (), width)


@as_text.register(ScalarGraph)
def _(graph: ScalarGraph) -> str:
    return scalar_table(graph, width=terminal_width(), most=MOST).rstrip("\n")


# --- the rows of a graph -------------------------------------------------------------


def _summary(graph: Graph) -> str:
    leaves = sum(node.kind == "accumulate" for node in graph.nodes)
    roots = ", ".join(map(_edge, graph.roots[:_MOST_ROOTS])) + (
        ", …" if len(graph.roots) > _MOST_ROOTS else ""
    )
    parts = [count(len(graph), "node"), count(leaves, "leaf", "leaves"), count(len(graph.roots), "output")]
    text = f"{', '.join(parts)}{': → ' if roots else ''}{roots}"
    kept = held(graph.nodes)
    text += f"; saved tensors hold {kept}" if kept else ""
    swapped = Counter(node.rule for node in graph.nodes if node.rule)
    rules = ", ".join(f"{rule} × {often}" for rule, often in sorted(swapped.items()))
    return f"{text}; the lab's rules: {rules}" if rules else text


def _edge(edge: Edge | None) -> str:
    if edge is None:
        return "–"
    slot = f":{edge.input_nr}" if edge.input_nr else ""
    return f"{edge.node}{slot}{f' ({edge.name})' if edge.name else ''}"


def _next(node: Node) -> str:
    return f"→ {', '.join(map(_edge, node.next))}" if node.next else ""


def _leaf(node: Node) -> str:
    return " = ".join(filter(None, (node.variable, *node.aliases)))


def _saved(node: Node) -> str:
    names: dict[str, list[str]] = {}
    for saved in node.saved:
        if (look := state(saved)) != "value":
            names.setdefault(look, []).append(
                f"{saved.name} = {named}" if (named := called(saved)) else saved.name
            )
    words = {"saved": _held_by_itself(node)}
    return "; ".join(f"{', '.join(those)} ({words.get(look, look)})" for look, those in names.items())


def _held_by_itself(node: Node) -> str:
    """Views of one storage may overlap, so only equal ones are known to be the same bytes."""
    sizes: tuple[dict[Any, int], dict[Any, int]] = {}, {}
    for saved in node.saved:
        key = saved.name if saved.storage is None else (saved.storage, saved.nbytes)
        sizes[saved.owner is not None][key] = saved.nbytes or 0
    activations, parameters = (sum(each.values()) for each in sizes)
    return figures(activations, parameters, node.saved) or digits.nbytes(0)


def _hooks(node: Node) -> str:
    return ", ".join(f"{hook.name} ({hook.kind.replace('_', ' ')})" for hook in node.hooks)


_COLUMNS: tuple[tuple[Column, Callable[[Node], str]], ...] = (
    (Column("id", 0, "number"), lambda node: str(node.id)),
    (Column("node", 0, "name", 20), lambda node: node.name),
    (Column("grad_outputs", 5), lambda node: metas(node.grad_outputs)),
    (Column("next", 1), _next),
    (Column("leaf", 2, "name", 18), _leaf),
    (Column("saved", 4), _saved),
    (Column("hooks", 6), _hooks),
    (Column("module", 3, "name"), lambda node: node.module or ""),
    (Column("source", 7, "name"), lambda node: place(node.source) if node.source else ""),
)


# --- the rows of a computation -------------------------------------------------------


def _variable_row(variable: Variable, made_by: Operation | None, graph: ScalarGraph) -> list[str]:
    return [
        _variable_name(variable),
        variable.kind,
        "not kept" if variable.value is None else digits.number(variable.value),
        "" if variable.grad is None else digits.number(variable.grad),
        "" if made_by is None else _made_by(made_by, graph),
    ]


def _variable_name(variable: Variable) -> str:
    return variable.name or f"#{variable.id}"


def _made_by(operation: Operation, graph: ScalarGraph) -> str:
    inputs = []
    for operand in operation.operands:
        known = {"local": operand.local, "arrives": operand.arrives}
        numbers = ", ".join(f"{what} {digits.number(it)}" for what, it in known.items() if it is not None)
        name = _variable_name(graph.variables[operand.variable])
        inputs.append(f"{name} ({numbers})" if numbers else name)
    return f"{operation.symbol} of {', '.join(inputs)}" if inputs else operation.symbol
