"""Which picture is drawn of which record: one row for each view.

Relies on the view modules. Promises that a wrong view, option or value gets one line that lists the right ones.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from autograd_lab.draw.graph_view import graph_picture
from autograd_lab.draw.picture import DIRECTIONS, Picture
from autograd_lab.draw.scalar_view import DETAILS, scalar_picture
from autograd_lab.draw.trace_view import trace_picture
from autograd_lab.errors import RenderError, article
from autograd_lab.records import Graph, Record, ScalarGraph, Trace


class View(NamedTuple):
    """A way of drawing one type of record.

    Attributes:
        record: The type.
        picture: Makes the picture; takes the record and the options as keywords.
        options: Names of the options, each with the values that it may have, or with a function that says what is wrong
            with a value, or ``None`` where any will do.

    Example:
        >>> sorted(VIEWS["graph"].options)
        ['depth', 'direction', 'repeats', 'saved', 'title']
    """

    record: type
    picture: Callable[..., Picture]
    options: Mapping[str, tuple[str, ...] | Callable[[Any], str | None] | None]


def _depth(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return None
    return f"depth must be a whole number from 0 (the whole model as one box) up, not {value!r}"


def _repeats(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"repeats must be True or False, not {value!r}"


_OF_GRAPHS = {"saved": None, "depth": _depth, "repeats": _repeats, "direction": DIRECTIONS, "title": None}

VIEWS: dict[str, View] = {
    "graph": View(Graph, graph_picture, _OF_GRAPHS),
    "trace": View(Trace, trace_picture, _OF_GRAPHS),
    "scalar": View(ScalarGraph, scalar_picture, {"detail": DETAILS, "direction": DIRECTIONS, "title": None}),
}
"""View's name → what draws it. Of two views of one type of record the first is the usual one."""

NORMS = "norms"
"""The view of traces that is a plot and no picture of boxes."""


def picture_maker(record: Record, view: str | None = None, **options: Any) -> Callable[[], Picture]:
    """Chooses the view of a record and checks its options; the picture is made when it's asked for.

    Args:
        record: A ``Graph`` or a ``ScalarGraph``.
        view: A key of ``VIEWS``; ``None`` takes the usual one of the record.
        options: The view's own; ``None`` leaves the choice to the view.

    Returns:
        A function that makes the picture.

    Raises:
        RenderError: There's no such view of this record, or the view has no such option or value.

    Example:
        >>> picture_maker(Graph((), ()), direction="right")().direction
        'right'
    """
    chosen = _view(record, view)
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        _check(chosen, name, value)
    return functools.partial(VIEWS[chosen].picture, record, **given)


def nearest(word: str, known: Iterable[str]) -> str:
    """Writes the end of a message about an unknown word: which ones there are, and which was perhaps meant.

    Args:
        word: What was asked for.
        known: What there is.

    Returns:
        ``"use one of a, b (did you mean 'b'?)"``.

    Example:
        >>> nearest("pgn", ["svg", "png"])
        "use one of svg, png (did you mean 'png'?)"
    """
    known = list(known)
    near = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.5)
    return f"use one of {', '.join(known)}{f' (did you mean {near[0]!r}?)' if near else ''}"


def _view(record: Record, view: str | None) -> str:
    fitting = [name for name, row in VIEWS.items() if isinstance(record, row.record)]
    if not fitting:
        drawn = ", ".join(dict.fromkeys(row.record.__name__ for row in VIEWS.values()))
        raise RenderError(f"cannot draw {article(type(record).__name__)}: give one of {drawn}")
    if view is None:
        return fitting[0]
    if view not in fitting:
        known = [*fitting, NORMS] if isinstance(record, Trace) else fitting
        raise RenderError(f"no view {view!r} of {article(type(record).__name__)}: {nearest(view, known)}")
    return view


def _check(view: str, name: str, value: Any) -> None:
    options = VIEWS[view].options
    if name not in options:
        raise RenderError(f"view {view!r} has no option {name!r}: {nearest(name, options)}")
    values = options[name]
    if callable(values):
        if wrong := values(value):
            raise RenderError(wrong)
    elif values is not None and value not in values:
        raise RenderError(f"no {name} {value!r} in view {view!r}: {nearest(str(value), values)}")
