"""Every format that a record can be drawn in: one row for each.

Relies on the views and the writers; the module that runs Graphviz and the fast layout are imported when a format
needs them, so that a table needs neither. Promises that every format listed works, and that nothing is written to
disk here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from autograd_lab import records
from autograd_lab.draw.dot import to_dot
from autograd_lab.draw.isolated import OutOfTimeError
from autograd_lab.draw.layers import tangle, widest_fan
from autograd_lab.draw.mermaid import to_mermaid
from autograd_lab.draw.perfetto import to_perfetto
from autograd_lab.draw.picture import Picture
from autograd_lab.draw.progress import progress
from autograd_lab.draw.tables import WIDTH
from autograd_lab.draw.text import graph_table, scalar_table
from autograd_lab.draw.trace_text import trace_table
from autograd_lab.draw.views import NORMS, nearest, picture_maker
from autograd_lab.errors import RenderError, article
from autograd_lab.records import Graph, Record, ScalarGraph, Trace
from autograd_lab.records.files import path_of

MOST_FOR_DOT = 1_500
"""Boxes: of larger pictures ``dot``'s own layout takes minutes, so they get the fast one."""


MOST_TANGLE_FOR_DOT = 500_000
"""As `layers.tangle` measures it. 40 steps of a recurrent network have twice as much; ``dot`` was never seen to lay out
so tangled a graph in less than 25 s."""

MOST_LEAVES_FOR_DOT = 200
"""Leaves of one node: ``dot`` sets all of them in one row, the layered layout in a block."""

SECONDS_FOR_DOT = 10.0
"""Seconds after which ``dot``'s own layout is given up for the layered one."""


class Settings(NamedTuple):
    """What is asked of a format, beside the picture.

    Attributes:
        width: Characters, for tables.
        dpi: Pixels to the inch, for PNG; ``None`` leaves the choice to whoever runs Graphviz.

    Example:
        >>> Settings().width
        120
    """

    width: int = WIDTH
    dpi: int | None = None


class Format(NamedTuple):
    """A format.

    Attributes:
        means: What it is, in a few words.
        of_picture: Writes a picture; ``None`` where the record itself is written.
        of_record: Writes the record.

    Example:
        >>> FORMATS["md"].means
        'a Mermaid chart in Markdown'
    """

    means: str
    of_picture: Callable[[Picture, Settings], str | bytes] | None = None
    of_record: Callable[[Record, Settings], str] | None = None


def draw(
    record: Record,
    format: str,  # noqa: A002 - the public name of the argument
    *,
    view: str | None = None,
    width: int | None = None,
    dpi: int | None = None,
    **options: Any,
) -> str | bytes:
    """Draws a record.

    Args:
        record: A ``Graph``, a ``ScalarGraph`` or a ``Trace``; for view ``"norms"`` and format ``"perfetto"`` also a
            list of traces.
        format: A key of ``FORMATS``.
        view: A key of ``views.VIEWS``, or ``"norms"``: a plot of gradient norms, by layer or over several traces.
            ``None`` takes the usual one of the record.
        width: Characters, for ``"txt"``.
        dpi: Pixels to the inch, for ``"png"``.
        **options: The view's own; ``None`` leaves the choice to it. ``direction``: which way the arrows point:
            ``"down"``, ``"up"``, ``"right"`` or ``"left"``. ``title``: written above the picture. Views ``"graph"`` and
            ``"trace"``: ``saved``, whether saved tensors and values are drawn; ``depth``, at which modules are one box
            each, 0 being the whole model; ``repeats``, whether modules that follow one another and are alike are
            drawn once. View ``"scalar"``: ``detail``, one of ``"expression"``, ``"values"``, ``"gradients"``.

    Returns:
        Bytes for PNG and PDF, text for the others. Tables and JSON hold the whole record, whatever the view.

    Raises:
        RenderError: There's no such format, view, option or value, or Graphviz can't be had.

    Example:
        >>> draw(Graph((), ()), "md").splitlines()[:2]
        ['```mermaid', 'flowchart TB']
    """
    if format not in FORMATS:
        raise RenderError(f"unknown format {format!r}: {nearest(format, FORMATS)}")
    row = FORMATS[format]
    settings = Settings(width or WIDTH, dpi)
    if view == NORMS:
        return _plot(record, format, settings, **options)
    if format == "perfetto" and not isinstance(record, Trace):
        return _perfetto(record, settings)
    # A wrong option is an error for tables too, although they don't look at it.
    make = picture_maker(record, view, **options)
    if row.of_picture is not None:
        return row.of_picture(make(), settings)
    assert row.of_record is not None
    return row.of_record(record, settings)


def check(format: str, view: str | None, **options: Any) -> None:  # noqa: A002 - as in draw
    """Checks what is asked for before there's a trace, so that nobody waits for one in vain.

    Args:
        format: As for ``draw``.
        view: As for ``draw``.
        **options: As for ``draw``.

    Raises:
        RenderError: As ``draw`` would.

    Example:
        >>> check("json", "norms")
        Traceback (most recent call last):
        autograd_lab.errors.RenderError: view 'norms' makes no json: use svg, png or pdf
    """
    if format not in FORMATS:
        raise RenderError(f"unknown format {format!r}: {nearest(format, FORMATS)}")
    if view == NORMS:
        _check_plot(format, **options)
    else:
        picture_maker(Trace(Graph((), ()), ()), view, **options)


def _check_plot(kind: str, *, title: str | None = None, **others: Any) -> None:
    from autograd_lab.draw.norms import KINDS

    del title
    wrong = [name for name, value in others.items() if value is not None]
    if wrong:
        raise RenderError(f"view 'norms' has no option {wrong[0]!r}: {nearest(wrong[0], ['title'])}")
    if kind not in KINDS:
        raise RenderError(f"view 'norms' makes no {kind}: use svg, png or pdf")


def _plot(
    record: Record, kind: str, settings: Settings, *, title: str | None = None, **others: Any
) -> str | bytes:
    from autograd_lab.draw.norms import norms_plot

    _check_plot(kind, **others)
    made = norms_plot(_traces(record, "view 'norms'"), kind, title=title, dpi=settings.dpi)
    return made.decode("utf-8") if kind == "svg" else made


def format_of(path: str | os.PathLike[str]) -> str:
    """Says which format a path's ending asks for.

    Args:
        path: A file's path.

    Returns:
        A key of ``FORMATS``.

    Raises:
        RenderError: It's no path, has no ending, or one that is no format's.

    Example:
        >>> format_of("pictures/graph.SVG")
        'svg'
    """
    try:
        file = path_of(path)
    except ValueError as error:
        raise RenderError(f"cannot draw into a file: {error}") from error
    ending = file.suffix.removeprefix(".").casefold()
    if not ending:
        raise RenderError(f"no format given for {os.fspath(path)!r}: end the path in .{', .'.join(FORMATS)}")
    if ending not in FORMATS:
        raise RenderError(f"unknown format {ending!r}: {nearest(ending, FORMATS)}")
    return ending


# --- writers -------------------------------------------------------------------------


def _dot(picture: Picture, settings: Settings) -> str:
    del settings
    return to_dot(picture)


def _md(picture: Picture, settings: Settings) -> str:
    del settings
    return to_mermaid(picture)


def _perfetto(record: Record, settings: Settings) -> str:
    del settings
    return to_perfetto(_traces(record, "format 'perfetto'"))


def _traces(record: Record, what: str) -> Sequence[Trace]:
    """One trace or several, as a sequence."""
    found = [record] if isinstance(record, Trace) else record
    if isinstance(found, list | tuple) and found and all(isinstance(each, Trace) for each in found):
        return found
    raise RenderError(f"{what} is of a Trace, or a list of them, not of {article(type(record).__name__)}")


def _svg(picture: Picture, settings: Settings) -> str:
    return _rendered(picture, "svg", settings).decode("utf-8")


def _png(picture: Picture, settings: Settings) -> bytes:
    return _rendered(picture, "png", settings)


def _pdf(picture: Picture, settings: Settings) -> bytes:
    return _rendered(picture, "pdf", settings)


def _rendered(picture: Picture, kind: Literal["svg", "png", "pdf"], settings: Settings) -> bytes:
    """Draws with ``dot``'s own layout, or where that would take too long with the layered one."""
    from autograd_lab.draw import graphviz

    if not _beyond_dot(picture):
        try:
            return graphviz.run(to_dot(picture), kind, dpi=settings.dpi, limit=SECONDS_FOR_DOT)
        except OutOfTimeError:
            pass  # what it would have taken can't be told beforehand
    from autograd_lab.draw.placing import placed

    with progress(3, shown=True) as step:
        step("laying out")
        placement = placed(picture)
        step("writing dot")
        text = to_dot(picture, placement)
        step(f"drawing {len(picture.boxes):,} boxes")
        return graphviz.run(text, kind, pinned=True, dpi=settings.dpi)


def _beyond_dot(picture: Picture) -> bool:
    """Returns whether ``dot``'s own layout is sure to take too long, or would be one very long row."""
    if len(picture.boxes) > MOST_FOR_DOT:
        return True
    number = {box.key: at for at, box in enumerate(picture.boxes)}
    edges = [(number[arrow.tail], number[arrow.head]) for arrow in picture.arrows]
    return (
        widest_fan(len(number), edges) > MOST_LEAVES_FOR_DOT
        or tangle(len(number), edges) > MOST_TANGLE_FOR_DOT
    )


def _txt(record: Record, settings: Settings) -> str:
    if isinstance(record, ScalarGraph):
        return scalar_table(record, width=settings.width)
    if isinstance(record, Trace):
        return trace_table(record, width=settings.width)
    assert isinstance(record, Graph)
    return graph_table(record, width=settings.width)


def _json(record: Record, settings: Settings) -> str:
    del settings
    return records.dumps(record)


FORMATS: dict[str, Format] = {
    "dot": Format("Graphviz's language", of_picture=_dot),
    "svg": Format("a vector picture for pages", of_picture=_svg),
    "png": Format("a picture in pixels", of_picture=_png),
    "pdf": Format("a vector picture for print", of_picture=_pdf),
    "txt": Format("a table for the terminal", of_record=_txt),
    "md": Format("a Mermaid chart in Markdown", of_picture=_md),
    "json": Format("the record itself; autograd_lab.load reads it", of_record=_json),
    "perfetto": Format("a time line of a trace; ui.perfetto.dev opens it", of_record=_perfetto),
}
"""Format's name → what writes it."""
