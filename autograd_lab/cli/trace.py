"""``autograd-lab trace``: runs the backward of a TARGET and shows what every node did."""

from __future__ import annotations

import dataclasses

import click

from autograd_lab.cli.options import (
    depth_option,
    drawing_options,
    heat_option,
    input_option,
    module_option,
    must_be_one_table,
    nodes_option,
    repeats_option,
    stats_level,
    stats_option,
    table_text,
    target_argument,
)


@click.command()
@target_argument
@click.option("--out", "-o", metavar="PATH", help="Write it here too: .json, .svg, .png, .perfetto, ….")
@click.option("--view", metavar="NAME", help="For --out: trace, or norms for a plot of gradient norms.")
@stats_option
@click.option("--kernels", is_flag=True, help="List the ATen kernels that each node ran.")
@input_option
@depth_option
@repeats_option
@heat_option
@module_option
@nodes_option
def trace(
    target: str,
    out: str | None,
    view: str | None,
    stats: str,
    kernels: bool,
    inputs: tuple[str, ...],
    depth: int | None,
    repeats: bool,
    heat: str | None,
    module: str | None,
    whole: bool,
) -> None:
    """Run the backward of TARGET and show what every node did."""
    from autograd_lab.backward import trace as run
    from autograd_lab.cli.raised import told_in_one_line
    from autograd_lab.cli.target import one_number, watched
    from autograd_lab.pictures import render

    must_be_one_table(whole=whole, depth=depth, repeats=repeats)
    options = drawing_options(
        out, view=view, depth=depth, repeats=repeats, stats=stats, heat=heat, module=module
    )
    with watched(target, inputs) as (found, annotated), told_in_one_line(target, annotated):
        one_number(target, found)
        done = run(
            found.loss, model=found.model, names=found.names, stats=stats_level(stats), kernels=kernels
        )
        done = dataclasses.replace(done, graph=annotated(done.graph))
    click.echo(table_text(done, whole=whole, depth=depth, repeats=repeats))
    if out is not None:
        render(done, out, **options)
        click.echo(f"wrote {out}")
