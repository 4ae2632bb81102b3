"""What a page that is open gets of a list of traces that grows: each new trace, with the texts and graphs that are new.

Relies on ``data`` and ``html``. Promises that each trace is written once, and that what is written can be
put behind what the page has; see ``script/live.js``. Of a long list the page gets some: see `few`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograd_lab.draw.page.data import Writer
from autograd_lab.draw.page.html import as_json, to_html
from autograd_lab.draw.page.shared import Shared
from autograd_lab.records import Trace

MOST = 100
"""Traces that a page begins with."""

RENEW = 200
"""Traces that a page has, until it is to begin anew with fewer."""

TRACE, AGAIN = "trace", "again"
"""The events: one more trace; the page is to be loaded again."""


def few(traces: Sequence[Trace], most: int = MOST) -> list[Trace]:
    """Returns some of a list, evenly, and its last.

    Args:
        traces: The list.
        most: How many at most.

    Example:
        >>> from autograd_lab.records import Graph
        >>> [trace.number for trace in few([Trace(Graph((), ()), (), number=number) for number in range(11)], 4)]
        [2, 6, 10]
    """
    step = 1
    while len(traces) > most * step:
        step *= 2
    return list(traces[::-1][::step][::-1])


class GrowingPage:
    """The page of a list of traces that grows: what a server needs of it.

    Args:
        events: Where the page gets more from: a path beside its own.
        traces: Returns the traces until now.
    """

    def __init__(self, events: str, traces: Callable[[], Sequence[Trace]]) -> None:
        self._events = events
        self._traces = traces

    def html(self) -> str:
        """Returns the page, in which nothing is yet."""
        return to_html([], connect="'self'", live=self._events)

    def stream(self) -> Deltas:
        """Returns what one reader gets."""
        return Deltas(self._traces)


class Deltas:
    """The events for one page.

    Args:
        traces: Returns the traces until now.
    """

    def __init__(self, traces: Callable[[], Sequence[Trace]]) -> None:
        self._traces = traces
        self._writer = Writer()
        self._shared = Shared(self._writer)
        self._seen: dict[int, Trace] = {}
        self._count = 0
        self._texts = 0
        self._places = 0

    def new(self) -> Iterator[tuple[str, str]]:
        """Returns an event for each trace that came since the last call."""
        traces = tuple(self._traces())
        fresh = [trace for trace in traces if id(trace) not in self._seen]
        begun = bool(self._seen)
        self._seen = {id(trace): trace for trace in traces}
        for trace in fresh if begun else few(fresh):
            if self._count == RENEW:
                yield AGAIN, ""
                return
            self._count += 1
            yield TRACE, as_json(self._delta(trace))

    def _delta(self, trace: Trace) -> dict[str, Any]:
        known = len(self._shared.distinct)
        place = self._shared.add(trace.graph)
        found: dict[str, Any] = {
            "graph": next(iter(self._shared.distinct[known:]), None),
            "trace": {**place, **self._writer.trace(trace, {})},
            "files": self._files(),
        }
        texts = self._writer.strings.texts
        found["strings"] = texts[self._texts :]
        self._texts = len(texts)
        return found

    def _files(self) -> list[dict[str, Any]] | None:
        """All excerpts anew, where a line was named that wasn't before."""
        places = len(self._writer.sources)
        if places == self._places:
            return None
        self._places = places
        return self._writer.files()
