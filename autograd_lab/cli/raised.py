"""What the user's own backward raises, in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import traceback
from collections.abc import Callable, Iterator

import click

from autograd_lab.capture.places import is_users
from autograd_lab.draw.words import place
from autograd_lab.errors import LabError, escaped, one_line
from autograd_lab.records import Graph, Trace


@contextlib.contextmanager
def told_in_one_line(
    target: str, annotated: Callable[[Graph], Graph] | None = None, *, defined: str = ""
) -> Iterator[None]:
    """Ends the command with code 1 where the backward raises, with one line that says what and where.

    Args:
        target: The TARGET.
        annotated: Puts modules and lines into a graph. Where it's given, the table of what ran until then comes first.
        defined: Where the target is defined, in brackets: what is said where nothing nearer is known.
    """
    try:
        yield
    except LabError:  # says by itself what to do
        raise
    except Exception as error:
        trace = getattr(error, "autograd_lab_trace", None)
        if annotated is not None and isinstance(trace, Trace):
            trace = dataclasses.replace(trace, graph=annotated(trace.graph))
            click.echo(trace)
        where = where_raised(error) or _where_stopped(trace)
        message = f"autograd-lab: the backward of {target} raised {one_line(error)}"
        click.echo(escaped(f"{message} ({where})" if where else f"{message}{defined}"), err=True)
        sys.exit(1)


def where_raised(error: BaseException) -> str | None:
    """Returns the innermost line that is the user's: neither the lab's nor torch's; ``None`` where there is none.

    A line of the user's own comes before one of an installed library.
    """
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    users = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_users(frame.f_code)
    ]
    own = [found for found in users if "site-packages" not in found[0]]
    return None if not users else "{}:{}".format(*(own or users)[-1])


def at(error: BaseException) -> str:
    """Returns where an exception was raised, in brackets, to put after its description; empty where it isn't known."""
    where = where_raised(error)
    return f" ({where})" if where else ""


def _where_stopped(trace: object) -> str | None:
    """The line that made the node whose turn it was."""
    if not isinstance(trace, Trace) or not trace.steps:
        return None
    source = trace.graph.node(trace.steps[-1].node).source
    return None if source is None else place(source)
