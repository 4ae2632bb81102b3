"""Which views there are: one row for each, with the records that it takes, its options, and what it makes.

Relies on the view modules and, once it's asked for, on ``plots``. Promises that a wrong view, option or value gets one
line that lists the right ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from autograd_lab.draw.picture import DIRECTIONS, Picture
from autograd_lab.draw.plan.collapse import must_go_together
from autograd_lab.draw.plan.heat import KINDS
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.scalar import DETAILS, scalar_picture
from autograd_lab.draw.views.trace import trace_picture
from autograd_lab.errors import Option, Parts, RenderError, article, nearest
from autograd_lab.records import Graph, Record, ScalarGraph, Trace

Values = tuple[str, ...] | Callable[[Any], Parts | None]
"""Which values an option may have: these, or those of which a function finds nothing wrong."""


class View(NamedTuple):
    """A way of drawing one type of record.

    Attributes:
        record: The type.
        options: Names of the options, each with its `Values`.
        picture: Makes a picture of one record, for every format that takes one; takes the options as keywords.
        plot: Writes an image of a list of records itself; takes the list, the format, ``dpi`` and the options.
        formats: The formats that ``plot`` makes.

    Example:
        >>> sorted(VIEWS["graph"].options)
        ['depth', 'direction', 'heat', 'legend', 'module', 'repeats', 'saved', 'title']
    """

    record: type
    options: Mapping[str, Values]
    picture: Callable[..., Picture] | None = None
    plot: Callable[..., bytes] | None = None
    formats: tuple[str, ...] = ()


def _depth(value: Any) -> Parts | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return None
    return Option("depth"), f" must be a whole number from 0 (the whole model as one box) up, not {value!r}"


def _saved(value: Any) -> Parts | None:
    return None if value in (True, False, "all") else (f"saved must be True, False or 'all', not {value!r}",)


def _module(value: Any) -> Parts | None:
    if isinstance(value, str) and value:
        return None
    return Option("module"), f" must be a module's name, not {value!r}"


def _title(value: Any) -> Parts | None:
    """Finds something wrong with a title."""
    return None if isinstance(value, str) else (f"title is a text, not {article(type(value).__name__)}",)


def _flag(name: str) -> Callable[[Any], Parts | None]:
    """Finds something wrong with what isn't True or False."""
    return lambda value: (
        None if isinstance(value, bool) else (f"{name} must be True or False, not {value!r}",)
    )


def _norms(traces: Sequence[Trace], kind: str, **options: Any) -> bytes:
    from autograd_lab.draw.plots.norms import norms_plot  # matplotlib takes a while to import

    return norms_plot(traces, kind, **options)


_OF_GRAPHS: Mapping[str, Values] = {
    "saved": _saved,
    "depth": _depth,
    "repeats": _flag("repeats"),
    "module": _module,
    "direction": DIRECTIONS,
    "title": _title,
    "legend": _flag("legend"),
}


def _heat_of_graphs(value: Any) -> Parts | None:
    kind = KINDS.get(value) if isinstance(value, str) else None
    if kind is None:
        return (f"no heat {value!r} in view 'graph': use saved, or trace it and use norm or time",)
    if not kind.of_graphs:
        run = " is of a Trace, for a graph didn't run: trace it, or use "
        return Option("heat", value), run, Option("heat", "saved")
    return None


_OF_SCALARS: Mapping[str, Values] = {
    "detail": DETAILS,
    "direction": DIRECTIONS,
    "title": _title,
    "legend": _flag("legend"),
}

VIEWS: dict[str, View] = {
    "graph": View(Graph, {**_OF_GRAPHS, "heat": _heat_of_graphs}, graph_picture),
    "trace": View(Trace, {**_OF_GRAPHS, "heat": tuple(KINDS)}, trace_picture),
    "norms": View(Trace, {"title": _title}, plot=_norms, formats=("svg", "png", "pdf")),
    "scalar": View(ScalarGraph, _OF_SCALARS, scalar_picture),
}
"""View's name → what draws it. Of two views of one type of record the first is the usual one."""


def chosen(kind: type, view: str | None = None, **options: Any) -> str:
    """Chooses the view of a type of record and checks its options.

    Args:
        kind: The type.
        view: A key of `VIEWS`; ``None`` takes the usual one of the type.
        **options: The view's own; ``None`` leaves the choice to the view.

    Returns:
        A key of `VIEWS`.

    Raises:
        RenderError: There's no such view of this type, or the view has no such option or value.

    Example:
        >>> chosen(Graph, direction="right")
        'graph'
    """
    name = _named(kind, view)
    for option, value in options.items():
        if value is not None:
            _check(name, option, value)
    must_go_together(options.get("module"), bool(options.get("repeats")))
    return name


def picture_maker(record: Record, view: str | None = None, **options: Any) -> Callable[[], Picture]:
    """Chooses the view of a record and checks its options; the picture is made when it's asked for.

    Args:
        record: A ``Graph``, a ``Trace`` or a ``ScalarGraph``.
        view: A key of `VIEWS`; ``None`` takes the usual one of the record.
        **options: The view's own; ``None`` leaves the choice to the view.

    Returns:
        A function that makes the picture.

    Raises:
        RenderError: As `chosen`; or the view makes no picture of boxes.

    Example:
        >>> picture_maker(Graph((), ()), direction="right")().direction
        'right'
    """
    name = chosen(type(record), view, **options)
    row = VIEWS[name]
    if row.picture is None:
        raise RenderError(f"view {name!r} is no picture of boxes: it makes {', '.join(row.formats)}")
    given = {option: value for option, value in options.items() if value is not None}
    return functools.partial(row.picture, record, **given)


def _named(kind: type, view: str | None) -> str:
    fitting = [name for name, row in VIEWS.items() if issubclass(kind, row.record)]
    if not fitting:
        drawn = ", ".join(dict.fromkeys(row.record.__name__ for row in VIEWS.values()))
        raise RenderError(f"cannot draw {article(kind.__name__)}: give one of {drawn}")
    if view is None:
        return fitting[0]
    if view in VIEWS and view not in fitting:
        wanted = article(VIEWS[view].record.__name__)
        raise RenderError(f"view {view!r} is of {wanted}, not of {article(kind.__name__)}")
    if view not in fitting:
        raise RenderError(f"no view {view!r} of {article(kind.__name__)}: {nearest(view, fitting)}")
    return view


def _check(view: str, name: str, value: Any) -> None:
    options = VIEWS[view].options
    if name not in options:
        raise RenderError(f"view {view!r} has no option {name!r}: {nearest(name, options)}")
    values = options[name]
    if callable(values):
        if wrong := values(value):
            raise RenderError(*wrong)
    elif value not in values:
        raise RenderError(f"no {name} {value!r} in view {view!r}: {nearest(str(value), values)}")
