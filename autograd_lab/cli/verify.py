"""``autograd-lab verify``: whether a Function, a rule or a model with rules swapped in has the right gradients."""

from __future__ import annotations

import sys
from typing import Any

import click

from autograd_lab.cli.options import input_option, target_argument


@click.command()
@target_argument
@input_option
@click.option("--swap", metavar="RULES", help="Compare a step with these rules swapped in: mul,pow, or all.")
@click.option("--seed", type=int, default=0, show_default=True, help="What random numbers are made from.")
def verify(target: str, inputs: tuple[str, ...], swap: str | None, seed: int) -> None:
    """Verify the gradients of TARGET: a torch.autograd.Function, the name of a rule, or with --swap a model's step.

    The exit code is 1 if something is wrong.
    """
    from autograd_lab.cli.target import built, find, made
    from autograd_lab.verify import verify as run

    names = swap if swap in (None, "all") else tuple(swap.split(","))
    found: Any = target if ":" not in target else find(target)
    if swap is not None and inputs:
        found = built(target, found)
    report = run(found, made(inputs) or None, swap=names, seed=seed)
    click.echo(report)
    sys.exit(0 if report.ok else 1)
