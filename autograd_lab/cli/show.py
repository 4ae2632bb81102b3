"""``autograd-lab show``: what a backward did, as a page in the browser."""

from __future__ import annotations

import dataclasses

import click

from autograd_lab.cli.options import OneOf, input_option, stats_level, stats_option, target_argument
from autograd_lab.errors import OptionError
from autograd_lab.records import Record, ScalarGraph, Trace, load


@click.command()
@target_argument
@click.option("--out", "-o", metavar="PATH", help="Write the page here, ending in .html, and open nothing.")
@click.option(
    "--view",
    type=OneOf(["trace", "scalar"]),
    default="trace",
    show_default=True,
    help="scalar plays the chain rule with its numbers, where each tensor has one element.",
)
@stats_option
@click.option("--kernels", is_flag=True, help="List the ATen kernels that each node ran.")
@click.option("--histograms", is_flag=True, help="Keep every gradient, to show how its elements are spread.")
@input_option
@click.option("--language", type=OneOf(["en", "zh"]), default="en", show_default=True, help="Of the page.")
def show(
    target: str,
    out: str | None,
    view: str,
    stats: str,
    kernels: bool,
    histograms: bool,
    inputs: tuple[str, ...],
    language: str,
) -> None:
    """Run the backward of TARGET and look around in it, in the browser; or open a record that was saved as JSON."""
    from autograd_lab.cli.target import is_saved
    from autograd_lab.draw import check, format_of
    from autograd_lab.pictures import render
    from autograd_lab.records.files import check_writable
    from autograd_lab.show import show as open_page

    if out is not None:
        if format_of(check_writable(out)) != "html":
            raise OptionError(f"show writes a page: end {out!r} in .html, or use render or trace")
        check("html", None, language=language)
    record: Record | list[Trace]
    if is_saved(target):
        if inputs:
            raise OptionError(f"{target} is a saved record; --input is for modules: leave it out")
        if view == "scalar":
            raise OptionError(f"{target} is a saved record, which has the view that it has: leave --view out")
        record = load(target)
    elif view == "scalar":
        if kernels or histograms:
            raise OptionError("--view scalar runs no backward: leave --kernels and --histograms out")
        record = _scalar(target, inputs)
    else:
        record = _traced(target, inputs, stats, kernels, histograms)
    if out is not None:
        render(record, out, language=language)
        click.echo(f"wrote {out}")
    else:
        click.echo(f"opened {open_page(record, language=language)}")


def _scalar(target: str, inputs: tuple[str, ...]) -> ScalarGraph:
    from autograd_lab.backward.scalar import capture_scalar
    from autograd_lab.cli.target import watched

    with watched(target, inputs) as (found, _):
        return capture_scalar(found.loss, model=found.model, names=found.names)


def _traced(target: str, inputs: tuple[str, ...], stats: str, kernels: bool, histograms: bool) -> Trace:
    from autograd_lab.backward import trace
    from autograd_lab.cli.raised import told_in_one_line
    from autograd_lab.cli.target import one_number, watched

    with watched(target, inputs) as (found, annotated), told_in_one_line(target, annotated):
        one_number(target, found)
        done = trace(
            found.loss,
            model=found.model,
            names=found.names,
            stats=stats_level(stats),
            keep="all" if histograms else None,
            kernels=kernels,
        )
        return dataclasses.replace(done, graph=annotated(done.graph))
