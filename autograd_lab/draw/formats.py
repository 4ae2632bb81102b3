"""Which formats there are: one row for each, with what is written in it and how.

Relies on the views and the writers; the module that runs Graphviz and the fast layout are imported when a format
needs them, so that a table needs neither. Promises that every format listed works, and that nothing is written to
disk here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from autograd_lab import records
from autograd_lab.draw.images import image
from autograd_lab.draw.page.bundle import must_be_language
from autograd_lab.draw.page.html import to_html
from autograd_lab.draw.picture import Picture
from autograd_lab.draw.tables.graph import graph_table, scalar_table
from autograd_lab.draw.tables.grid import WIDTH
from autograd_lab.draw.tables.modules import must_know_modules, table_depth
from autograd_lab.draw.tables.trace import trace_table, traces_one_by_one
from autograd_lab.draw.views.registry import VIEWS, chosen, picture_maker
from autograd_lab.draw.write.dot import to_dot
from autograd_lab.draw.write.mermaid import to_mermaid
from autograd_lab.draw.write.modelexplorer import to_model_explorer
from autograd_lab.draw.write.nodedata import to_node_data
from autograd_lab.draw.write.perfetto import to_perfetto
from autograd_lab.errors import Option, RenderError, article, nearest
from autograd_lab.records import Graph, Record, ScalarGraph, Trace, are_traces
from autograd_lab.records.files import path_of


class Settings(NamedTuple):
    """What is asked of a format, beside the picture.

    Attributes:
        width: Characters, for tables.
        dpi: Pixels to the inch, for PNG; ``None`` leaves the choice to whoever runs Graphviz.
        depth: For tables of graphs and traces: modules this deep are one row.
        repeats: For tables by module: whether blocks that are alike are one row.
        title: For pages: the title.
        language: For pages: the language in which they open.
        histograms: For pages: for each trace the histograms of its gradients.
        heat: For node data: which values they are.

    Example:
        >>> Settings().width
        120
    """

    width: int = WIDTH
    dpi: int | None = None
    depth: int | None = None
    repeats: bool = False
    title: str | None = None
    language: str = "en"
    histograms: Sequence[Mapping[str, Any]] = ()
    heat: str | None = None


class Format(NamedTuple):
    """A format: what it is, and what is written in it.

    One of the writers is there; that of several traces may stand beside another.

    Attributes:
        means: What it is, in a few words.
        of_picture: Writes a picture.
        of_record: Writes a record itself, whatever the view.
        of_traces: Writes a list of traces, whatever the view; also a single one, where there is no other writer.
        options: Of a writer that isn't of a picture: the views' options that it heeds.
        refuses: Why it takes no others.
        ending: What a path ends in; empty for the format's name.
        records: The types of record that it can hold; empty for whatever a view draws.

    Example:
        >>> FORMATS["md"].means
        'a Mermaid chart in Markdown'
    """

    means: str
    of_picture: Callable[[Picture, Settings], str | bytes] | None = None
    of_record: Callable[[Record, Settings], str] | None = None
    of_traces: Callable[[Sequence[Trace], Settings], str] | None = None
    options: tuple[str, ...] = ()
    refuses: str = "it holds the record itself"
    ending: str = ""
    records: tuple[type, ...] = ()


def draw(
    record: Record | Sequence[Trace],
    format: str,  # noqa: A002 - the public name of the argument
    *,
    view: str | None = None,
    width: int | None = None,
    dpi: int | None = None,
    language: str | None = None,
    histograms: Sequence[Mapping[str, Any]] = (),
    **options: Any,
) -> str | bytes:
    """Draws a record.

    Args:
        record: A ``Graph``, a ``ScalarGraph`` or a ``Trace``; where `takes_several`, also a list of traces.
        format: A key of ``FORMATS``.
        view: A key of ``views.registry.VIEWS``. ``"norms"`` is a plot of gradient norms, by layer or over several
            traces. ``None`` takes the usual one of the record.
        width: Characters, for ``"txt"``.
        dpi: Pixels to the inch, for ``"png"``.
        language: For ``"html"``: the language in which the page opens, ``"en"`` or ``"zh"``.
        histograms: For ``"html"``: for each trace the histograms of its gradients, as the page's data have them.
        **options: The view's own; ``None`` leaves the choice to it. ``direction``: which way the arrows point:
            ``"down"``, ``"up"``, ``"right"`` or ``"left"``. ``title``: written above the picture in place of what it's
            of; ``""`` for nothing. ``legend``: whether the picture explains its signs, and says which parameters get no
            gradient. Views ``"graph"`` and
            ``"trace"``: ``saved``, whether saved tensors and values are drawn, ``"all"`` for strides and the like too;
            ``depth``, at which modules are one box each, 0 being the whole model; ``repeats``, whether modules that
            follow one another and are alike are drawn once; ``heat``, what each box is coloured by: ``"norm"`` of the
            gradient that came in or ``"time"`` that its turn took, both of traces, or ``"saved"``, the memory kept for
            the backward; ``module``, the one module that is drawn, such as ``"h.3"``, with its neighbours faded. View
            ``"scalar"``: ``detail``, one of ``"expression"``, ``"values"``, ``"gradients"``.

    Returns:
        Bytes for PNG and PDF, text for the others. JSON holds the whole record, whatever the view.

    Raises:
        RenderError: There's no such format, view, option or value, or Graphviz can't be had.

    Example:
        >>> draw(Graph((), ()), "md", title="").splitlines()[:2]
        ['```mermaid', 'flowchart TB']
    """
    settings = Settings(
        width or WIDTH,
        dpi,
        options.get("depth"),
        bool(options.get("repeats")),
        options.get("title"),
        language or "en",
        histograms,
        options.get("heat"),
    )
    if are_traces(record) and len(record) == 1 and not (format in FORMATS and takes_several(format, view)):
        (record,) = record
    kind = Trace if are_traces(record) else type(record)
    name = check(format, view, of=kind, several=are_traces(record), language=language, **options)
    row, drawing = FORMATS[format], VIEWS[name]
    one = None if isinstance(record, Sequence) else record
    traces = record if isinstance(record, Sequence) else [record] if isinstance(record, Trace) else []
    _check_modules(one, settings)
    if drawing.plot is not None:
        made = drawing.plot(traces, format, dpi=dpi, **options)
        return made.decode("utf-8") if format == "svg" else made
    if row.of_traces is not None and (one is None or row.of_record is None):
        return row.of_traces(traces, settings)
    assert one is not None  # a list of them was refused
    if row.of_record is not None:
        return row.of_record(one, settings)
    assert row.of_picture is not None
    return row.of_picture(picture_maker(one, name, **options)(), settings)


def check(
    format: str,  # noqa: A002 - as in draw
    view: str | None,
    *,
    of: type = Trace,
    several: bool = False,
    language: str | None = None,
    **options: Any,
) -> str:
    """Checks what is asked for, also before there's a record, so that nobody waits for one in vain.

    Args:
        format: As for `draw`.
        view: As for `draw`.
        of: The type of record.
        several: Whether there's a list of them.
        language: As for `draw`.
        **options: As for `draw`.

    Returns:
        The view's name.

    Raises:
        RenderError: As `draw` would.

    Example:
        >>> check("json", "norms")
        Traceback (most recent call last):
        autograd_lab.errors.RenderError: view 'norms' makes no json: use svg, png or pdf
    """
    if format not in FORMATS:
        raise RenderError(f"unknown format {format!r}: {nearest(format, FORMATS)}")
    row = FORMATS[format]
    if language is not None:
        _check_language(format, language)
    if row.records and not issubclass(of, row.records):
        holds = " or ".join(article(each.__name__) for each in row.records)
        raise RenderError(
            f"format {format!r} is of {holds}, or a list of traces, not of {article(of.__name__)}"
        )
    # A wrong option is an error for tables too, although they don't look at it.
    name = chosen(of, view, **options)
    makes = VIEWS[name].formats
    if makes and format not in makes:
        raise RenderError(f"view {name!r} makes no {format}: use {', '.join(makes[:-1])} or {makes[-1]}")
    if makes_no_picture(format):
        for option, value in options.items():
            if value is not None and value is not False and option not in row.options:
                raise RenderError(f"format {format!r} takes no ", Option(option), f": {row.refuses}")
        if (
            format == "txt"
            and issubclass(of, Trace)
            and options.get("saved")
            and options.get("depth") is None
        ):
            raise RenderError(
                "a trace's table shows what was saved by module only: give ", Option("depth"), " too"
            )
    if several and not takes_several(format, name):
        raise RenderError(
            f"format {format!r} holds one trace, not a list of them: give one, or take ",
            Option("view", "norms"),
            " or a format that holds several: "
            f"{', '.join(name for name, row in FORMATS.items() if row.of_traces is not None)}",
        )
    return name


def _check_language(format: str, language: str) -> None:  # noqa: A002 - as in draw
    if format != "html":
        raise RenderError(f"format {format!r} takes no ", Option("language"), ": a page, html, does")
    must_be_language(language)


def _check_modules(record: Record | None, settings: Settings) -> None:
    graph = record.graph if isinstance(record, Trace) else record
    if isinstance(graph, Graph):
        must_know_modules(graph, settings.depth, settings.repeats)


def makes_no_picture(format: str) -> bool:  # noqa: A002 - as in draw
    """Returns whether a format is of the record itself.

    Args:
        format: A key of `FORMATS`.

    Example:
        >>> makes_no_picture("txt"), makes_no_picture("svg")
        (True, False)
    """
    return FORMATS[format].of_picture is None


def takes_several(format: str, view: str | None) -> bool:  # noqa: A002 - as in draw
    """Returns whether a list of traces becomes one file.

    Args:
        format: A key of `FORMATS`.
        view: A view of traces, or ``None``.

    Example:
        >>> takes_several("perfetto", None), takes_several("svg", "norms"), takes_several("svg", "trace")
        (True, True, False)
    """
    row = None if view is None else VIEWS.get(view)
    return FORMATS[format].of_traces is not None or (row is not None and row.plot is not None)


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
        >>> format_of("loss.me.json")
        'model-explorer'
    """
    try:
        file = path_of(path)
    except ValueError as error:
        raise RenderError(f"cannot draw into a file: {error}") from error
    ending = file.suffix.removeprefix(".").casefold()
    endings = {row.ending or name: name for name, row in FORMATS.items()}
    if not ending:
        raise RenderError(f"no format given for {os.fspath(path)!r}: end the path in .{', .'.join(endings)}")
    longest = max(
        (each for each in endings if file.name.casefold().endswith(f".{each}")), key=len, default=""
    )
    if not longest:
        raise RenderError(f"unknown format {ending!r}: {nearest(ending, endings)}")
    return endings[longest]


# --- writers -------------------------------------------------------------------------


def _dot(picture: Picture, settings: Settings) -> str:
    del settings
    return to_dot(picture)


def _md(picture: Picture, settings: Settings) -> str:
    del settings
    return to_mermaid(picture)


def _perfetto(traces: Sequence[Trace], settings: Settings) -> str:
    del settings
    return to_perfetto(traces)


def _svg(picture: Picture, settings: Settings) -> str:
    return image(picture, "svg", dpi=settings.dpi).decode("utf-8")


def _png(picture: Picture, settings: Settings) -> bytes:
    return image(picture, "png", dpi=settings.dpi)


def _pdf(picture: Picture, settings: Settings) -> bytes:
    return image(picture, "pdf", dpi=settings.dpi)


def _txt(record: Record, settings: Settings) -> str:
    if isinstance(record, ScalarGraph):
        return scalar_table(record, width=settings.width)
    if isinstance(record, Trace):
        depth = table_depth(record.graph, settings.depth, settings.repeats)
        return trace_table(record, width=settings.width, depth=depth, repeats=settings.repeats)
    assert isinstance(record, Graph)
    depth = table_depth(record, settings.depth, settings.repeats)
    return graph_table(record, width=settings.width, depth=depth, repeats=settings.repeats)


def _txt_of_several(traces: Sequence[Trace], settings: Settings) -> str:
    return traces_one_by_one(traces, lambda each: _txt(each, settings), width=settings.width)


def _json(record: Record | Sequence[Trace], settings: Settings) -> str:
    del settings
    return records.dumps(record)


def _html(record: Record | Sequence[Trace], settings: Settings) -> str:
    return to_html(record, title=settings.title, language=settings.language, histograms=settings.histograms)


def _model_explorer(record: Record | Sequence[Trace], settings: Settings) -> str:
    del settings
    assert not isinstance(record, Record) or isinstance(record, Graph | Trace)  # others were refused
    return to_model_explorer(record)


def _node_data(record: Record | Sequence[Trace], settings: Settings) -> str:
    assert not isinstance(record, Record) or isinstance(record, Graph | Trace)
    return to_node_data(record, settings.heat)


FORMATS: dict[str, Format] = {
    "dot": Format("Graphviz's language", of_picture=_dot),
    "svg": Format("a vector picture for pages", of_picture=_svg),
    "png": Format("a picture in pixels", of_picture=_png),
    "pdf": Format("a vector picture for print", of_picture=_pdf),
    "html": Format(
        "a page to look around in and to play the backward",
        of_record=_html,
        of_traces=_html,
        options=("title",),
        refuses="one chooses that in the page",
    ),
    "txt": Format(
        "a table for the terminal",
        of_record=_txt,
        of_traces=_txt_of_several,
        options=("depth", "repeats", "saved"),
        refuses="it's a table; a picture, such as svg, takes it",
    ),
    "md": Format("a Mermaid chart in Markdown", of_picture=_md),
    "json": Format("the record itself; autograd_lab.load reads it", of_record=_json, of_traces=_json),
    "perfetto": Format(
        "a time line of a trace; ui.perfetto.dev opens it", of_traces=_perfetto, records=(Trace,)
    ),
    "model-explorer": Format(
        "a graph for Google's Model Explorer",
        of_record=_model_explorer,
        of_traces=_model_explorer,
        ending="me.json",
        records=(Graph, Trace),
    ),
    "node-data": Format(
        "what Model Explorer colours that graph by",
        of_record=_node_data,
        of_traces=_node_data,
        options=("heat",),
        refuses="it has one value for each node; heat says which",
        ending="nd.json",
        records=(Graph, Trace),
    ),
}
"""Format's name → what writes it."""
