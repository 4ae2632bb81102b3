"""What is said of a script's backwards while it still runs: a line for one of them now and then.

Relies on the tables' words. Promises at most a line in half a second, none in the first two seconds, and that
nothing here can fail into the script: where standard error is gone, nothing is said any more.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from autograd_lab.errors import escaped

if TYPE_CHECKING:
    from autograd_lab.records import Trace

FIRST, BETWEEN = 2.0, 0.5
"""Seconds from the first backward to the first line, and between two lines."""


class Live:
    """Says on standard error which backward was traced last.

    Args:
        traces: The list that the traces are put into.
    """

    def __init__(self, traces: Sequence[Trace]) -> None:
        from autograd_lab.draw import trace_line

        self._traces = traces
        self._line = trace_line
        self._stream = sys.stderr  # the script may put another in its place
        self._next: float | None = None
        self._said: Trace | None = None

    def __call__(self) -> None:
        """A backward is over."""
        now = time.monotonic()
        if self._next is None:  # of a script with few backwards the table says all soon enough
            self._next = now + FIRST
        if now < self._next:
            return
        last = next((trace for trace in reversed(self._traces) if trace.within is None), None)
        if last is None or last is self._said:
            return
        more = "" if self._said is not None else "; all is shown when the script ends, or after Ctrl-C"
        self._said = last
        self._next = now + BETWEEN
        try:
            click.echo(f"autograd-lab: {escaped(self._line(last))}{more}", file=self._stream)
        except (OSError, ValueError):
            # Nobody reads it, or the script closed it: that's no fault of its backward's.
            self._next = float("inf")
