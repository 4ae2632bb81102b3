"""What several subcommands take alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import click

from autograd_lab.errors import OptionError, nearest
from autograd_lab.records import Graph, Trace

WRONG_CALL = 2
"""The exit code of a wrong call."""

target_argument = click.argument("target")
"""A TARGET: see ``cli.target``."""

input_option = click.option(
    "--input",
    "-i",
    "inputs",
    metavar="SHAPE",
    multiple=True,
    help="What goes into a module: 1x3x224x224, 2x16:int64; once for each input.",
)
"""The shapes of a module's inputs."""

nodes_option = click.option(
    "--nodes", "--all", "whole", is_flag=True, help="List every node, however many, not the modules."
)
"""Whether a table has a row for each node."""


class OneOf(click.Choice[str]):
    """One of a few words; another one is answered as everywhere."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the word."""
        del ctx
        if value not in self.choices:
            raise OptionError(f"no {param.name if param else ''} {value!r}: {nearest(value, self.choices)}")
        return str(value)


depth_option = click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(min=0),
    help="Show modules this deep as one; 0: the whole model.",
)
"""Where modules collapse."""

repeats_option = click.option(
    "--repeats", is_flag=True, help="Show modules that follow one another and are alike once, with × 12."
)
"""Whether repeated blocks are drawn once."""

heat_option = click.option(
    "--heat", metavar="WHAT", help="Colour boxes by norm, time or saved; the legend has the scale."
)
"""What boxes are coloured by."""

module_option = click.option(
    "--module", metavar="NAME", help="Draw this module alone, such as h.3, with its neighbours faded."
)
"""The one module that is drawn."""

stats_option = click.option(
    "--stats",
    type=OneOf(["none", "norm", "full"]),
    default="norm",
    show_default=True,
    help="What is measured of each gradient.",
)
"""How much of each gradient is measured."""


def stats_level(stats: str) -> Literal["norm", "full"] | None:
    """Returns the ``stats`` of ``trace`` and ``watch`` that an option stands for."""
    return None if stats == "none" else cast('Literal["norm", "full"]', stats)


def drawing_options(
    out: str | None,
    *,
    view: str | None,
    depth: int | None,
    repeats: bool,
    stats: str,
    heat: str | None = None,
    module: str | None = None,
) -> dict[str, Any]:
    """Checks what is asked of a file before anything runs: a script may take hours.

    Args:
        out: The file's path, if there is to be one.
        view: As for ``render``.
        depth: As for ``render``.
        repeats: As for ``render``.
        stats: What is measured.
        heat: As for ``render``.
        module: As for ``render``.

    Returns:
        The options for ``render``.

    Raises:
        OptionError: Something is asked of a file but no file is asked for, or what is to be drawn isn't measured.
        RenderError: There's no such format, view or option.
        UnwritableError: The path can't be written.
    """
    from autograd_lab.draw import check, format_of
    from autograd_lab.records.files import check_writable

    asked: dict[str, Any] = {
        "view": view,
        "depth": depth,
        "repeats": repeats or None,
        "heat": heat,
        "module": module,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if out is None:
        if view is not None:
            raise OptionError("--view says how a file is drawn; say which one with --out")
        if heat is not None:
            raise OptionError("--heat colours a picture; say where to write it with --out")
        if module is not None:
            raise OptionError("--module draws a picture; say where to write it with --out")
        return {}
    check(format_of(check_writable(out)), **{"view": None, **given})
    if view == "norms" and stats == "none":
        raise OptionError("--view norms draws what --stats none doesn't measure; leave one of them out")
    if heat == "norm" and stats == "none":
        raise OptionError("--heat norm shows what --stats none doesn't measure; leave one of them out")
    return given


def table_text(
    record: Graph | Trace | Sequence[Trace], *, whole: bool, depth: int | None, repeats: bool
) -> str:
    """Returns a graph or a trace as a table for the terminal, and how to see more of it.

    Args:
        record: The graph, the trace or the list of traces.
        whole: Whether there's a row for each node, however many.
        depth: Modules this deep are one row each.
        repeats: Whether blocks that are alike are one row.
    """
    from autograd_lab.draw import on_screen

    return on_screen(record, _more, whole=whole, depth=depth, repeats=repeats)


def must_be_one_table(*, whole: bool, depth: int | None, repeats: bool) -> None:
    """Refuses a table that is to list every node and to show modules.

    Raises:
        OptionError: Both are asked for.
    """
    if whole and (depth is not None or repeats):
        raise OptionError(
            "--nodes lists every node, --depth and --repeats show modules: leave one of them out"
        )


def _more(depth: int | None) -> str:
    modules = "" if depth is None else f" --depth {depth} --repeats"
    return f"--nodes lists them, --out graph.svg{modules} draws them"
