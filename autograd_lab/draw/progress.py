"""A progress bar for pictures that take a while.

Relies on ``rich``. Promises to write nothing unless standard error is a terminal, and to leave nothing behind there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Announce(Protocol):
    """Announces that the next part of the work begins."""

    def __call__(self, what: str) -> None:
        """Announces it, by what is done in it."""


def _silent(what: str) -> None:
    del what


@contextmanager
def progress(total: int, *, shown: bool) -> Iterator[Announce]:
    """Shows a bar on standard error while a ``with`` block runs.

    Args:
        total: Parts of work that the block will announce.
        shown: Whether the work is long enough for a bar; there's none in any case where standard error isn't a
            terminal.

    Yields:
        A function to call with the name of each part as it begins.

    Example:
        >>> with progress(1, shown=False) as step:
        ...     step("laying out")
    """
    if not shown or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def step(what: str) -> None:
            nonlocal begun
            bar.update(task, description=what, completed=begun)
            bar.refresh()
            begun += 1

        yield step
