"""A trace as a table: a row for each step, in the order in which the nodes ran.

Relies on ``grid``, ``digits`` and ``words``. Promises that a column is there only if it has something to say: a trace
without statistics has no norms, one without kernels lists none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from autograd_lab.draw import digits
from autograd_lab.draw.digits import count
from autograd_lab.draw.tables.folding import together
from autograd_lab.draw.tables.grid import WIDTH, Column, around, ends, table_of
from autograd_lab.draw.tables.modules import module_table
from autograd_lab.draw.words import brief, gradient, place, some, without_gradient
from autograd_lab.records import Accumulation, GradStats, Step, Trace


def trace_table(
    trace: Trace,
    *,
    width: int = WIDTH,
    most: int | None = None,
    depth: int | None = None,
    repeats: bool = False,
) -> str:
    """Writes a trace as a table.

    Args:
        trace: The trace.
        width: Characters.
        most: Rows; where there are more steps, the first and the last are shown. ``None`` shows all.
        depth: Modules this deep are one row each; 0 is the whole model. ``None``: a row for each step.
        repeats: Whether, by module, blocks that are alike are one row.

    Returns:
        The table, each line ended by a newline, with a summary above it and below it what is missing or not finite.

    Example:
        >>> from autograd_lab.records import Edge, Graph, Node, TensorMeta
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0),), (Edge(0, 0),))
        >>> one = GradStats(TensorMeta((), "float32", "cpu"), norm=1.0)
        >>> print(trace_table(Trace(graph, (Step(0, 0, (one,), (), 0, 1_500_000),), 2_000_000)), end="")
        1 step in 2 ms
         step  node                ms  came in
         ─────────────────────────────────────
            0  #0 ExpBackward0  1.500  1
    """
    closing = remarks(trace)
    if not trace.steps:
        return around(_summary(trace), "", closing, width)
    if depth is not None:
        body = module_table(trace.graph, trace.steps, depth=depth, repeats=repeats, width=width)
        return around(_summary(trace), body, closing, width)
    columns = [(column, _in(trace, text)) for column, text in _COLUMNS]
    shown = ends(trace.steps, most)
    left_out = len(trace.steps) - len(shown)
    gap = f"… {left_out:,} more steps …" if left_out else ""
    body = table_of(columns, trace.steps, width, always=("node",), shown=shown, gap=gap)
    return around(_summary(trace), body, closing, width)


def _in(trace: Trace, text: Callable[[Step, Trace], str]) -> Callable[[Step], str]:
    return lambda step: text(step, trace)


def remarks(trace: Trace) -> list[str]:
    """Returns what a reader should know first: which parameters got no gradient, and what isn't finite.

    Args:
        trace: The trace.

    Example:
        >>> from autograd_lab.records import Graph
        >>> remarks(Trace(Graph((), (), unreached=("fc.bias",)), ()))
        ['1 parameter got no gradient: fc.bias']
    """
    found = []
    if missing := without_gradient(trace):
        found.append(f"{count(len(missing), 'parameter')} got no gradient: {some(missing)}")
    if wrong := [f"#{step.node} {_called(step, trace)}" for step in trace.steps if _not_finite(step)]:
        found.append(f"not finite in {count(len(wrong), 'step')}, the first: {some(wrong)}")
    return found


def _called(step: Step, trace: Trace) -> str:
    node = trace.graph.node(step.node)
    return node.variable or node.name


def _not_finite(step: Step) -> bool:
    both = (*step.grad_outputs, *step.grad_inputs)
    return any(stats is not None and (stats.nans or stats.infs) for stats in both)


def trace_line(trace: Trace) -> str:
    """Writes a backward in a line.

    Args:
        trace: The backward.

    Example:
        >>> from autograd_lab.records import Graph
        >>> trace_line(Trace(Graph((), ()), (), 2_000_000, number=3))
        'backward 3: 0 steps in 2 ms'
    """
    began = "" if trace.started is None else f", {place(trace.started)}"
    norm = f", gradient {total}" if (total := _total(trace)) else ""
    return f"backward {trace.number}{began}: {_how_long(trace)}{norm}"


def traces_table(traces: Sequence[Trace], *, width: int = WIDTH) -> str:
    """Writes several backwards as a table: a row for each.

    Args:
        traces: The backwards, in the order in which they began.
        width: Characters in a line.

    Returns:
        The table. ``gradient`` is the norm of all that arrived at leaves, taken together.

    Example:
        >>> from autograd_lab.records import Graph
        >>> print(traces_table([Trace(Graph((), ()), (), number=3)]), end="")
         backward  steps  raised
         ───────────────────────
                3      0
    """
    return table_of(_TRACE_COLUMNS, traces, width, always=("backward", "steps", "raised"))


def traces_one_by_one(traces: Sequence[Trace], table: Callable[[Trace], str], *, width: int) -> str:
    """Writes a row for each of several backwards, and below the table of each.

    Args:
        traces: The backwards, in the order in which they began.
        table: Writes the table of one.
        width: Characters in a line of the rows.
    """
    return "\n".join([traces_table(traces, width=width), *map(table, traces)])


# --- rows ----------------------------------------------------------------------------


def _summary(trace: Trace) -> str:
    stopped = "" if trace.error is None else f"; stopped by {trace.error}"
    stopped = f"; {trace.unread}" if trace.error is None and trace.unread is not None else stopped
    began = "" if trace.started is None else f"; backward {trace.number}, {place(trace.started)}"
    return f"{_how_long(trace)}{began}{stopped}"


def _how_long(trace: Trace) -> str:
    took = "" if trace.total_ns is None else f" in {trace.total_ns / 1e6:,.4g} ms"
    return f"{count(len(trace.steps), 'step')}{took}"


def _step(step: Step, trace: Trace) -> str:
    del trace
    return str(step.index)


def _node(step: Step, trace: Trace) -> str:
    node = trace.graph.node(step.node)
    return f"#{node.id} {node.variable or node.name}"


def _ms(step: Step, trace: Trace) -> str:
    del trace
    return "" if step.duration_ns is None else f"{step.duration_ns / 1e6:.3f}"


def _module(step: Step, trace: Trace) -> str:
    return trace.graph.node(step.node).module or ""


def _line(step: Step, trace: Trace) -> str:
    """Only where a call was seen: a Function's ``forward`` is no line that ran. The summary names the usual file."""
    node = trace.graph.node(step.node)
    if node.call is None or node.source is None:
        return ""
    usual = trace.started is not None and node.source.file == trace.started.file
    return str(node.source.line) if usual else place(node.source)


def _came_in(step: Step, trace: Trace) -> str:
    del trace
    if not any(stats is not None for stats in step.grad_outputs):
        return ""
    return ", ".join(gradient(stats) + _in_full(stats) for stats in step.grad_outputs)


def _in_full(stats: GradStats | None) -> str:
    """What ``stats="full"`` measures besides the norm."""
    if stats is None:
        return ""
    parts = []
    if stats.mean is not None:
        parts.append(together(["mean", digits.number(stats.mean)]))
    if stats.max_abs is not None:
        parts.append(together(["largest", digits.number(stats.max_abs)]))
    if stats.zeros is not None and (elements := _elements(stats)):
        parts.append(together([f"{100 * stats.zeros / elements:.3g}", "%", "zeros"]))
    return f" ({', '.join(parts)})" if parts else ""


def _elements(stats: GradStats) -> int:
    """How many there are; 0 where it isn't known."""
    shape = stats.meta.shape or ()
    sizes = [size for size in shape if isinstance(size, int)]
    return 0 if stats.meta.shape is None or len(sizes) < len(shape) else math.prod(sizes)


def _went_out(step: Step, trace: Trace) -> str:
    edges = trace.graph.node(step.node).next
    parts = [
        together([brief(stats), "→", str(edge.node)])
        for stats, edge in zip(step.grad_inputs, edges, strict=False)
        if edge is not None and stats is not None
    ]
    return ", ".join(parts)


def _sum_of(step: Step, trace: Trace) -> str:
    """Where more than one gradient met: from which nodes they came."""
    del trace
    if len(step.contributions) < 2:
        return ""
    return " + ".join(
        together([brief(part.stats), "of", "the start" if part.source is None else str(part.source)])
        for part in step.contributions
    )


def _grad(step: Step, trace: Trace) -> str:
    del trace
    return "" if step.accumulation is None else _accumulated(step.accumulation)


def _accumulated(accumulation: Accumulation) -> str:
    before = "None" if accumulation.before is None else brief(accumulation.before)
    if accumulation.after is None:
        return accumulation.how
    return f"{accumulation.how}: {together([before, '→', brief(accumulation.after)])}"


def _kernels(step: Step, trace: Trace) -> str:
    del trace
    names = (kernel.name.removeprefix("aten::") for kernel in step.kernels)
    return ", ".join(
        f"({name})" if kernel.hidden else f"{name} in a hook" if kernel.by == "hook" else name
        for name, kernel in zip(names, step.kernels, strict=True)
    )


def _thread(step: Step, trace: Trace) -> str:
    return str(step.thread) if any(other.thread for other in trace.steps) else ""


_COLUMNS: tuple[tuple[Column, Callable[[Step, Trace], str]], ...] = (
    (Column("step", 0, "number"), _step),
    (Column("node", 0, "name", 22), _node),
    (Column("module", 3, "name"), _module),
    (Column("line", 5, "name"), _line),
    (Column("ms", 6, "number"), _ms),
    (Column("thread", 9, "number"), _thread),
    (Column("came in", 1), _came_in),
    (Column("sum of", 8), _sum_of),
    (Column("went out", 7), _went_out),
    (Column(".grad", 2), _grad),
    (Column("kernels", 4), _kernels),
)
"""Each column and its text. Gradients are written as their norms."""


def _total(trace: Trace) -> str:
    """The norm of everything that arrived at leaves."""
    arrived = [
        stats
        for step in trace.steps
        if step.accumulation is not None
        for stats in step.grad_outputs
        if stats is not None
    ]
    norms = [stats.norm for stats in arrived if stats.norm is not None]
    left_out = sum(stats.unmeasured is not None for stats in arrived)
    return ", ".join(
        [
            *([digits.number(math.hypot(*norms))] if norms else []),
            *([f"{left_out:,} not measured"] if left_out else []),
        ]
    )


_TRACE_COLUMNS: tuple[tuple[Column, Callable[[Trace], str]], ...] = (
    (Column("backward", 0, "number"), lambda trace: str(trace.number)),
    (Column("in node", 4), lambda trace: "" if trace.within is None else f"#{trace.within}"),
    (Column("line", 3, "name"), lambda trace: "" if trace.started is None else place(trace.started)),
    (Column("steps", 0, "number"), lambda trace: str(len(trace.steps))),
    (
        Column("ms", 5, "number"),
        lambda trace: "" if trace.total_ns is None else f"{trace.total_ns / 1e6:.3f}",
    ),
    (Column("gradient", 1), _total),
    (Column("raised", 2), lambda trace: trace.error or ""),
)
"""Each column and its text, for a table of several backwards."""
