"""How records show themselves in a notebook: a picture and, for what can't show one, the table.

Importing it makes a record that ends a cell a picture. Relies on ``formats`` and ``tables``.
Promises that a record can always be shown: of a large one, or where Graphviz can't be had, there's the table alone.
"""

from __future__ import annotations

from autograd_lab.draw.formats import draw
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, ScalarGraph, Trace
from autograd_lab.records.display import as_mimebundle, as_text

MOST = 300
"""Nodes or variables: a picture of more would be too large for a page, and take seconds to lay out."""


def mimebundle(record: Graph | ScalarGraph | Trace) -> dict[str, str]:
    """Gives what a notebook shows of a record.

    Args:
        record: The record.

    Returns:
        ``"text/plain"``, the table; and ``"image/svg+xml"`` where the record is small enough and Graphviz is there. The
        text says so where it isn't.

    Example:
        >>> sorted(mimebundle(Graph((), ())))
        ['image/svg+xml', 'text/plain']
    """
    text = as_text(record)
    size = _size(record)
    if size > MOST:
        return {"text/plain": text}
    try:
        svg = draw(record, "svg")
    except RenderError as error:
        return {"text/plain": f"{text}\n(no picture: {error})"}
    assert isinstance(svg, str)
    return {"image/svg+xml": svg, "text/plain": text}


def _size(record: Graph | ScalarGraph | Trace) -> int:
    if isinstance(record, ScalarGraph):
        return len(record.variables)
    return len(record.graph if isinstance(record, Trace) else record)


as_mimebundle.register(Graph, mimebundle)
as_mimebundle.register(Trace, mimebundle)
as_mimebundle.register(ScalarGraph, mimebundle)
