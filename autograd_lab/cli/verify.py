"""``autograd-lab verify``: whether a Function, a rule or a model with rules swapped in has the right gradients."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from autograd_lab.cli.options import input_option, target_argument
from autograd_lab.errors import OptionError, VerifyError, one_line

if TYPE_CHECKING:
    from autograd_lab.records import VerifyReport


@click.command()
@target_argument
@input_option
@click.option("--swap", metavar="RULES", help="Compare a step with these rules swapped in: mul,pow, or all.")
@click.option(
    "--native",
    metavar="TARGET",
    help="What computes the same by PyTorch's own operations: file.py:name or package.module:name.",
)
@click.option(
    "--skip",
    metavar="CHECK",
    multiple=True,
    help="Leave a check out, by its name in the report; may be repeated.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="What random numbers are made from.")
def verify(
    target: str,
    inputs: tuple[str, ...],
    swap: str | None,
    native: str | None,
    skip: tuple[str, ...],
    seed: int,
) -> None:
    """Verify the gradients of TARGET: a torch.autograd.Function, the name of a rule, or with --swap a model's step.

    The exit code is 1 if something is wrong.
    """
    from autograd_lab.cli.target import built, defined, find, is_saved, made
    from autograd_lab.verify import verify as run

    found: Any = target if ":" not in target and not is_saved(target) else find(target)
    if swap is not None and inputs:
        found = built(target, found)
    if swap is None and not isinstance(found, str):
        _must_be_tensors_callable(target, found, inputs)
    plain = None if native is None else find(native)
    report = _ran(
        target,
        lambda: run(found, made(inputs) or None, native=plain, swap=swap, skip=skip, seed=seed),
        defined(found),
    )
    click.echo(report)
    sys.exit(0 if report.ok else 1)


def _ran(target: str, run: Callable[[], VerifyReport], where: str) -> VerifyReport:
    """Runs the checks. What a backward raises by itself ends the command in one line: there's nothing to compare."""
    from autograd_lab.cli.raised import at, told_in_one_line

    try:
        with told_in_one_line(target, defined=where):
            return run()
    except VerifyError as error:
        cause = error.__cause__
        nearer = "" if cause is None else at(cause)
        raise VerifyError(*error.parts, nearer or where) from error
    except SystemExit as error:
        if at(error):  # the user's own
            raise VerifyError(f"calling {target} raised {one_line(error)}{at(error)}") from error
        raise


def _must_be_tensors_callable(target: str, found: Any, inputs: tuple[str, ...]) -> None:
    """Refuses what can only be verified with ``--swap``.

    Raises:
        OptionError: The target is a module, what builds one, or takes no tensors.
    """
    import torch

    if isinstance(found, type) and issubclass(found, torch.autograd.Function):
        return
    if isinstance(found, torch.nn.Module) or (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        raise OptionError(
            f"{target} is a module: add --swap all, or --swap mul,pow, to compare its step with the lab's rules in "
            "it with one without"
        )
    if callable(found) and not _takes_arguments(found):
        raise OptionError(
            f"{target} takes no arguments: add --swap all to compare the step that it returns, or name a "
            "torch.autograd.Function or a callable of tensors"
        )
    if callable(found) and not inputs:
        raise OptionError(f"{target} is a callable: say what goes in, such as --input 2x3:float64")


def _takes_arguments(found: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(found).parameters)
    except (TypeError, ValueError):  # what is written in C may not say
        return True
