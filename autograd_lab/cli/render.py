"""``autograd-lab render``: a picture of the backward graph of a TARGET."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from autograd_lab.cli.options import (
    depth_option,
    heat_option,
    input_option,
    module_option,
    must_be_one_table,
    nodes_option,
    repeats_option,
    table_text,
    target_argument,
)
from autograd_lab.errors import OptionError
from autograd_lab.records import EngineCheck, Graph, Record, Trace, VerifyReport, load


@click.command()
@target_argument
@click.option(
    "--out", "-o", metavar="PATH", help="Where to write; without it, the text goes to the terminal."
)
@click.option(
    "--format",
    "-f",
    "format_",
    metavar="NAME",
    help="dot, svg, png, pdf, html, txt, md, json, model-explorer or node-data; else PATH's ending.",
)
@click.option(
    "--view",
    metavar="NAME",
    help="graph (the usual one), scalar or torchviz; of a saved trace, trace or norms.",
)
@input_option
@click.option("--saved", is_flag=True, help="Show what the forward saved for the backward.")
@click.option("--strides", is_flag=True, help="The same, with how tensors lie in memory.")
@nodes_option
@depth_option
@repeats_option
@heat_option
@module_option
@click.option("--detail", metavar="NAME", help="For the scalar view: expression, values or gradients.")
@click.option("--direction", metavar="NAME", help="down, up, right or left.")
def render(
    target: str,
    out: str | None,
    format_: str | None,
    view: str | None,
    inputs: tuple[str, ...],
    saved: bool,
    strides: bool,
    whole: bool,
    depth: int | None,
    repeats: bool,
    heat: str | None,
    module: str | None,
    detail: str | None,
    direction: str | None,
) -> None:
    """Draw the backward graph of TARGET, or a record that was saved as JSON."""
    from autograd_lab.capture import capture
    from autograd_lab.cli.target import is_saved, watched
    from autograd_lab.pictures import render as render_any

    asked: dict[str, Any] = {
        "saved": "all" if strides else saved or None,
        "depth": depth,
        "repeats": repeats or None,
        "heat": heat,
        "module": module,
        "detail": detail,
        "direction": direction,
    }
    must_be_one_table(whole=whole, depth=depth, repeats=repeats)
    options = {key: value for key, value in asked.items() if value is not None}
    picture: Path | str | bytes
    if is_saved(target):
        if inputs:
            raise OptionError(f"{target} is a saved record; --input is for modules: leave it out")
        picture = _drawn(load(target), out, format_, view, whole, options)
    elif view in ("trace", "norms"):
        raise OptionError(
            f"view {view!r} shows what a backward did; autograd-lab trace {target} --view {view} --out PATH "
            "draws it"
        )
    else:
        with watched(target, inputs) as (found, annotated):
            if view in (None, "graph"):
                record = annotated(capture(found.loss, model=found.model, names=found.names))
                picture = _drawn(record, out, format_, view, whole, options)
            else:
                picture = render_any(
                    found.loss,
                    out,
                    format=format_,
                    view=view,
                    model=found.model,
                    names=found.names,
                    **options,
                )
    if isinstance(picture, bytes):
        raise click.UsageError(
            f"a {format_} picture is no text for the terminal; say where to write it with --out"
        )
    click.echo(picture if out is None else f"wrote {out}")


def _drawn(
    record: Record | Sequence[Trace],
    out: str | None,
    format_: str | None,
    view: str | None,
    whole: bool,
    options: dict[str, Any],
) -> Path | str | bytes:
    """Draws a record; as a table it fits the terminal."""
    from autograd_lab.draw import check
    from autograd_lab.pictures import render as render_any

    if isinstance(record, EngineCheck | VerifyReport) and not (out or format_ or view or options):
        return str(record)
    if out is not None or format_ not in (None, "txt") or not isinstance(record, Graph | Trace | Sequence):
        return render_any(record, out, format=format_, view=view, **options)
    several = isinstance(record, Sequence)
    check("txt", view, of=Trace if several else type(record), several=several, **options)
    depth, repeats = options.get("depth"), bool(options.get("repeats"))
    return table_text(record, whole=whole, depth=depth, repeats=repeats)
