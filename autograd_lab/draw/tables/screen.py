"""A graph or a trace as a screen shows it: a small one whole, a large one by module, and how to see more of it.

Relies on the tables. Promises at most ``MOST`` rows unless all are asked for. Importing it makes ``str()`` of a
``Graph`` and of a ``Trace`` such a text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from autograd_lab.draw.tables.folding import paragraph, together
from autograd_lab.draw.tables.graph import graph_table
from autograd_lab.draw.tables.grid import MOST, terminal_width
from autograd_lab.draw.tables.modules import module_depth, table_depth
from autograd_lab.draw.tables.trace import trace_table, traces_one_by_one, traces_table
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, Trace, Traces
from autograd_lab.records.display import as_text

More = Callable[[int | None], str]
"""Takes the depth at which a picture by module can be read, if there is one; returns how to see more."""

_READABLE = 3
"""Levels of modules in a picture."""


def on_screen(
    record: Graph | Trace | Sequence[Trace],
    more: More,
    *,
    depth: int | None = None,
    repeats: bool = False,
    whole: bool = False,
) -> str:
    """Writes a record as wide as the terminal.

    Args:
        record: The record. Of several traces there's a row for each and, where one of the options is given, the table
            of each below these.
        more: How to see more of a large one.
        depth: Modules this deep are one row each. ``None`` shows a large record as deep as fits.
        repeats: Whether, by module, blocks that are alike are one row.
        whole: Whether there's a row for each node, however many.

    Returns:
        The text, without a newline at its end.

    Raises:
        RenderError: Modules are asked for and none is known, or each node is asked for too.
    """
    if not isinstance(record, Graph | Trace):
        if depth is None and not (repeats or whole):
            return traces_table(record, width=terminal_width()).rstrip("\n")
        alike = functools.partial(on_screen, more=more, depth=depth, repeats=repeats, whole=whole)
        text = traces_one_by_one(record, lambda trace: f"{alike(trace)}\n", width=terminal_width())
        return text.rstrip("\n")
    graph, rows = (record.graph, record.steps) if isinstance(record, Trace) else (record, record.nodes)
    large = len(graph) > MOST and not whole
    fits = module_depth(graph) if large else None
    if whole and (depth is not None or repeats):
        raise RenderError("a table lists every node or shows modules: leave one of them out")
    depth = table_depth(graph, depth, repeats)
    if depth is None and large and len(rows) > MOST:
        depth = fits
    most = None if whole else MOST
    if isinstance(record, Trace):
        text = trace_table(record, width=terminal_width(), most=most, depth=depth, repeats=repeats)
    else:
        text = graph_table(record, width=terminal_width(), most=most, depth=depth, repeats=repeats)
    if large:
        hint = f"{len(graph):,} nodes: {more(None if fits is None else min(fits, _READABLE))}"
        text += paragraph(hint, terminal_width())
    return text.rstrip("\n")


def _more_in_python(name: str, depth: int | None) -> str:
    modules = "" if depth is None else f", depth={depth}, repeats=True"
    drawing = together(f"lab.render({name}, 'x.svg'{modules})".split())
    return f"{drawing} draws them, print(lab.render({name})) lists them"


@as_text.register(Graph)
def _(graph: Graph) -> str:
    return on_screen(graph, functools.partial(_more_in_python, "graph"))


@as_text.register(Traces)
def _(traces: Traces) -> str:
    return on_screen(traces, functools.partial(_more_in_python, "trace"))


@as_text.register(Trace)
def _(trace: Trace) -> str:
    return on_screen(trace, functools.partial(_more_in_python, "trace"))
