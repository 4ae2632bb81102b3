"""How records and pictures show themselves in a notebook: a picture and, for what can't show one, the table.

Importing it makes a record that ends a cell a picture. Relies on ``formats`` and ``tables``.
Promises that a record can always be shown: of a large one, or where Graphviz can't be had, there's the table alone;
that nothing is cut at the cell's edge, where a wide picture becomes smaller and then scrolls; and that both follow the
notebook's light or dark colours.

Note [A picture in a cell]
A notebook shows ``text/html`` before ``image/svg+xml``, so the HTML is what is mostly seen. The SVG lies in it as it
is, since what lies in an ``<img>`` has no tooltips. Its colours follow the system's; JupyterLab and VS Code choose
light or dark for themselves and say so on the page's body, so a style beside it sets the colours there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from autograd_lab.draw.digits import nbytes
from autograd_lab.draw.formats import draw
from autograd_lab.draw.page.stream import GrowingPage
from autograd_lab.draw.svg import CLASS, DARK
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, ScalarGraph, Trace, Traces
from autograd_lab.records.display import as_mimebundle, as_text, live_shown_by

MOST = 300
"""Nodes or variables: a picture of more would be too large for a page, and take seconds to lay out."""

SMALLEST = 0.6
"""To which part of its size a picture is made smaller before it scrolls: text can still be read."""

_DARK_PAGES = ('[data-jp-theme-light="false"]', ".vscode-dark", ".vscode-high-contrast")
_LIGHT_PAGES = ('[data-jp-theme-light="true"]', ".vscode-light")
_WIDTH = re.compile(r'(<svg\b[^>]*?)\bwidth="([\d.]+)(pt|px)?"')
_VARIABLE = re.compile(r"--lab-([0-9a-f]{6})")


class Svg(str):
    """An SVG that a notebook shows as a picture.

    Example:
        >>> Svg('<svg width="9pt"></svg>')._repr_html_().startswith("<div")
        True
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return _in_a_cell(self)

    def _repr_svg_(self) -> str:
        return str(self)


class Png(bytes):
    """A PNG that a notebook shows as a picture.

    Example:
        >>> Png(b"made")._repr_png_()
        b'made'
    """

    def _repr_png_(self) -> bytes:
        return bytes(self)


class Markdown(str):
    """A Markdown text that a notebook shows as such, its Mermaid diagram drawn.

    Example:
        >>> Markdown("*so*")._repr_markdown_()
        '*so*'
    """

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


class Page(str):
    """A page that a notebook shows below the cell, in a frame from which nothing of the notebook can be reached.

    Example:
        >>> Page("<!doctype html>")._repr_html_().startswith("<iframe")
        True
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self)}" sandbox="allow-scripts allow-downloads" title="autograd_lab" '
            'style="width:100%;height:680px;border:0;resize:vertical;overflow:auto"></iframe>'
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Says what it is: a notebook keeps this text beside the page, which is long."""
        del cycle
        printer.text(f"<a page of {nbytes(len(self))}>")


class Table(str):
    r"""A text that a notebook shows line by line, as wide as it is.

    Example:
        >>> Table("a < b\nc")._repr_html_().endswith(">a &lt; b\nc</pre></div>")
        True
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return _lines(self)


def shown(picture: str | bytes, format: str) -> str | bytes:  # noqa: A002 - as in draw
    """Returns a picture as what shows itself in a notebook; for anything else it is what it was.

    Args:
        picture: What ``draw`` made.
        format: Its format.

    Example:
        >>> type(shown("<svg/>", "svg")).__name__, type(shown("{}", "json")).__name__
        ('Svg', 'str')
    """
    if isinstance(picture, bytes):
        return Png(picture) if format == "png" else picture
    kinds: dict[str, type[str]] = {"svg": Svg, "md": Markdown, "txt": Table, "html": Page}
    return kinds[format](picture) if format in kinds else picture


def mimebundle(record: Graph | ScalarGraph | Trace) -> dict[str, str]:
    """Returns what a notebook shows of a record.

    Args:
        record: The record.

    Returns:
        ``"text/plain"``, the table; ``"text/html"``, the picture or the table; and ``"image/svg+xml"`` where the record
        is small enough and Graphviz is there. The text says so where it isn't.

    Example:
        >>> sorted(mimebundle(Graph((), ())))
        ['image/svg+xml', 'text/html', 'text/plain']
    """
    text = as_text(record)
    if _size(record) <= MOST:
        try:
            svg = Svg(draw(record, "svg"))
        except RenderError as error:
            text += f"\n(no picture: {error})"
        else:
            return {"text/html": _in_a_cell(svg), "image/svg+xml": str(svg), "text/plain": text}
    return {"text/html": _lines(text), "text/plain": text}


@as_mimebundle.register(Traces)
def _(traces: Sequence[Trace]) -> dict[str, str]:
    text = as_text(traces)
    return {"text/html": _lines(text), "text/plain": text}


def _size(record: Graph | ScalarGraph | Trace) -> int:
    if isinstance(record, ScalarGraph):
        return len(record.variables)
    return len(record.graph if isinstance(record, Trace) else record)


def _in_a_cell(svg: str) -> str:
    """See Note [A picture in a cell]."""
    start = svg.find("<svg")
    svg = svg[max(start, 0) :]
    if (found := _WIDTH.search(svg)) is not None:
        least = f"{SMALLEST * float(found[2]):.0f}{found[3] or 'px'}"
        style = f'style="max-width:100%;min-width:{least};height:auto"'
        svg = f"{found[1]}{style} {svg[len(found[1]) :]}"
    return f'<div style="max-width:100%;overflow:auto">{_page_colours(svg)}{svg}</div>'


def _page_colours(svg: str) -> str:
    """Returns the style that gives a picture the colours which a page has chosen by itself."""
    used = sorted({f"#{colour}" for colour in _VARIABLE.findall(svg)} & set(DARK))
    if not used:
        return ""
    themes = ((_DARK_PAGES, DARK), (_LIGHT_PAGES, {colour: colour for colour in used}))
    rules = (
        f"{','.join(f'{page} svg.{CLASS}' for page in pages)}"
        f"{{{''.join(f'--lab-{colour[1:]}:{colours[colour]};' for colour in used)}}}"
        for pages, colours in themes
    )
    return f"<style>{''.join(rules)}</style>"


def _lines(text: str) -> str:
    style = "white-space:pre;overflow:auto;max-width:100%;margin:0"
    return f'<div style="max-width:100%;overflow:auto"><pre style="{style}">{html.escape(text)}</pre></div>'


as_mimebundle.register(Graph, mimebundle)
as_mimebundle.register(Trace, mimebundle)
as_mimebundle.register(ScalarGraph, mimebundle)
live_shown_by(GrowingPage)
