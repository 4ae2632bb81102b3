"""``autograd-lab run``: watches a script that knows nothing of the lab."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from autograd_lab.chosen import Chosen
from autograd_lab.cli.options import (
    depth_option,
    drawing_options,
    heat_option,
    module_option,
    must_be_one_table,
    nodes_option,
    repeats_option,
    stats_level,
    stats_option,
    table_text,
)
from autograd_lab.errors import LabError, OptionError, RenderError, escaped

if TYPE_CHECKING:
    from autograd_lab.records import Trace


_LIVE = 10
"""Of how many backwards one is traced where a run is followed, unless the user says."""

_MOST = 200
"""Traces that are kept of a run that is followed: it may take days."""


class _Backwards(click.ParamType[Chosen]):
    """``3``, ``-1``, ``10:20``, ``::100``, or several of them with commas between: as Python counts in a list."""

    name = "WHICH"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Chosen:
        if isinstance(value, Chosen):
            return value
        return Chosen(tuple(self._part(part.strip(), param, ctx) for part in str(value).split(",")))

    def _part(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> slice:
        found = re.fullmatch(r"(-?\d+)|(-?\d*):(-?\d*)(?::(\d*))?", text)
        if found is None or "-" in (found[2], found[3]):
            self.fail(f"{text!r} is no backward; write 0, -1, 10:20, ::100 or 1,3", param, ctx)
        if found[1] is not None:
            return slice(int(found[1]), int(found[1]) + 1 or None)
        start, stop, step = (int(bound) if bound else None for bound in found.group(2, 3, 4))
        if step == 0:
            self.fail(f"{text!r} goes nowhere; write a step from 1", param, ctx)
        if start is not None and stop is not None and start >= stop and (start < 0) == (stop < 0):
            self.fail(f"{text!r} holds no backward; write the smaller number first", param, ctx)
        return slice(start, stop, step)


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--out", "-o", metavar="PATH", help="Write it here too; the ending says how: .json, .svg, .perfetto …."
)
@click.option("--view", metavar="NAME", help="For --out: trace, or norms for a plot of gradient norms.")
@click.option(
    "--backward",
    "chosen",
    type=_Backwards(),
    help="Which of the script's backwards, counted from 0 as in a Python list: 3, 10:20, ::100 or 1,3. "
    "-1, the last, is known when the script ends: until then each is traced, and the last one kept. "
    "Without it the first, 0; with --live each tenth, ::10.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Follow the run in a browser: a page on this machine that gets each new trace.",
)
@click.option("--no-browser", is_flag=True, help="With --live: only print the page's address.")
@stats_option
@click.option("--kernels", is_flag=True, help="List the ATen kernels that ran in each node's turn.")
@depth_option
@repeats_option
@heat_option
@module_option
@nodes_option
@click.option("-m", "as_module", is_flag=True, help="SCRIPT is a module's name, as after python -m.")
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(
    script: str,
    arguments: tuple[str, ...],
    out: str | None,
    view: str | None,
    chosen: Chosen | None,
    live: bool,
    no_browser: bool,
    stats: str,
    kernels: bool,
    depth: int | None,
    repeats: bool,
    heat: str | None,
    module: str | None,
    whole: bool,
    as_module: bool,
) -> None:
    """Run SCRIPT with its ARGUMENTS, unchanged, and show what its backwards did.

    What the script prints, its exit code and its exceptions are its own; the lab's table goes to standard error when
    the script ends or Ctrl-C ends it. While it runs, a line now and then says which backward was traced last.
    """
    from autograd_lab.backward import watch
    from autograd_lab.cli.browser import open_browser
    from autograd_lab.cli.children import NOTE, Children
    from autograd_lab.cli.live import Live
    from autograd_lab.cli.script import run as run_script

    must_be_one_table(whole=whole, depth=depth, repeats=repeats)
    if no_browser and not live:
        raise OptionError("--no-browser is of --live; give both, or neither")
    options = drawing_options(
        out, view=view, depth=depth, repeats=repeats, stats=stats, heat=heat, module=module
    )
    path = None if out is None else Path(out).absolute()  # the script may go to another folder
    chosen = chosen or Chosen.of(0, None if live else 1, _LIVE if live else 1)
    watcher = watch(stats=stats_level(stats), kernels=kernels, live=live)
    watcher.which = chosen
    watcher.most = _MOST if live else None
    watcher.on_backward = Live(watcher.traces)
    children = Children()
    process = os.getpid()
    with watcher:
        if watcher.address is not None and not no_browser:
            open_browser(watcher.address)
        code = run_script(script, arguments, as_module=as_module)
    if os.getpid() != process:  # a fork of the script's: the report is the process's that was started
        sys.exit(code)
    if _is_open(sys.stdout):
        sys.stdout.flush()
    traces = [trace for trace in watcher.traces if chosen.holds(trace.number, watcher.count)]
    _report(traces, watcher.count, chosen, whole=whole, depth=depth, repeats=repeats)
    if watcher.remark:
        _tell(f"autograd-lab: {watcher.remark}")
    if children.any():
        _tell(f"autograd-lab: {NOTE}")
    if path is not None and traces:
        try:
            _write(traces, path, options)
        except LabError as error:  # the exit code stays the script's own
            _tell(f"autograd-lab: {escaped(error.on_command_line())}")
    sys.exit(code)


def _is_open(stream: IO[str] | None) -> bool:
    """The script may have closed a stream, or put ``None`` in its place."""
    return stream is not None and not getattr(stream, "closed", False)


def _tell(text: str) -> None:
    """Writes to standard error, if the script has left it open."""
    if _is_open(sys.stderr):
        with contextlib.suppress(OSError):  # its descriptor was closed: nobody is left to tell
            click.echo(text, err=True)


def _report(
    traces: Sequence[Trace], count: int, chosen: Chosen, *, whole: bool, depth: int | None, repeats: bool
) -> None:
    if not traces:
        ran = f"it ran {count}, counted from 0" if count else "it ran none"
        _tell(f"autograd-lab: the script never came to backward {chosen}; {ran}")
        return
    record = traces if len(traces) > 1 else traces[0]
    try:
        _tell(table_text(record, whole=whole, depth=depth, repeats=repeats))
    except RenderError as error:  # the script has run: its exit code stays its own
        _tell(table_text(record, whole=False, depth=None, repeats=False))
        _tell(f"autograd-lab: {escaped(error.on_command_line())}")


def _write(traces: Sequence[Trace], path: Path, options: dict[str, Any]) -> None:
    """One file for all where the format can hold several backwards, else one for each."""
    from autograd_lab.draw import format_of, takes_several
    from autograd_lab.pictures import render

    if len(traces) == 1 or takes_several(format_of(path), options.get("view")):
        render(traces if len(traces) > 1 else traces[0], path, **options)
        _say(path)
        return
    for trace, each in zip(traces, _paths(traces, path), strict=True):
        render(trace, each, **options)
        _say(each)


def _paths(traces: Sequence[Trace], path: Path) -> Iterator[Path]:
    """``trace-7.svg`` for backward 7, ``trace-7.1.svg`` for the first one that began inside it."""
    inside: Counter[int] = Counter()
    for trace in traces:
        inside[trace.number] += trace.within is not None
        number = str(trace.number) + ("" if trace.within is None else f".{inside[trace.number]}")
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _say(path: Path) -> None:
    here = Path.cwd()
    _tell(f"wrote {path.relative_to(here) if path.is_relative_to(here) else path}")
