"""How records show themselves, without knowing who draws them.

``str(graph)`` is a table and a notebook shows a picture, but records import the standard library only. So the
two ways of showing are open functions here, and ``draw`` registers itself for each record that it can draw. It's
imported when the first record is shown.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import singledispatch
from typing import Any, Protocol

_to_import: list[str] = []


def shown_by(module: str) -> None:
    """Names a module that registers how records are shown, to be imported before the first one is.

    Args:
        module: Its name.
    """
    _to_import.append(module)


def _learned() -> bool:
    """Imports what was named. Returns whether there was any."""
    named = list(_to_import)
    for module in named:
        importlib.import_module(module)
    _to_import.clear()
    return bool(named)


@singledispatch
def as_text(record: object) -> str:
    """Returns the text that ``str(record)`` shows.

    Args:
        record: Any record. ``draw`` registers a table for those that have one.

    Returns:
        The table, or ``repr(record)`` where nothing was registered.
    """
    return as_text(record) if _learned() else repr(record)


@singledispatch
def as_mimebundle(record: object) -> dict[str, str]:
    """Returns what a notebook shows: MIME type → content.

    Args:
        record: Any record. ``draw`` registers a picture for those that have one.

    Returns:
        At least ``"text/plain"``.
    """
    return as_mimebundle(record) if _learned() else {"text/plain": as_text(record)}


class Events(Protocol):
    """What one reader of a page gets while a list of traces grows."""

    def new(self) -> Iterator[tuple[str, str]]:
        """Returns an event for whatever is new since the last call: its name, and data in one line."""


class LivePage(Protocol):
    """A page that more and more comes to."""

    def html(self) -> str:
        """Returns the page, in which nothing is yet."""

    def stream(self) -> Events:
        """Returns what one reader gets."""


_Maker = Callable[[str, Callable[[], Sequence[Any]]], LivePage]
_live: list[_Maker] = []


def live_shown_by(maker: _Maker) -> None:
    """Names who makes pages of lists that grow; ``draw`` does.

    Args:
        maker: As `live_page`.
    """
    _live.append(maker)


def live_page(events: str, traces: Callable[[], Sequence[Any]]) -> LivePage:
    """Returns the page of a list of traces that grows.

    Args:
        events: Where the page gets more from: a path beside its own.
        traces: Returns the traces until now.
    """
    _learned()
    return _live[-1](events, traces)


class DisplayMixin:
    """Shows a record through the two open functions of this module."""

    __slots__ = ()

    def __str__(self) -> str:
        return as_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What IPython calls; ``include`` and ``exclude`` are its own and may be ignored by its protocol."""
        del include, exclude
        return as_mimebundle(self)
