"""``autograd-lab step``: a terminal debugger for the backward of a TARGET."""

from __future__ import annotations

import sys

import click

from autograd_lab.cli.options import WRONG_CALL, input_option, target_argument


@click.command()
@target_argument
@input_option
@click.option(
    "--check", is_flag=True, help="Compare the lab's engine with PyTorch's, and step through nothing."
)
def step(target: str, inputs: tuple[str, ...], check: bool) -> None:
    """Step through the backward of TARGET, node by node.

    Commands are read from the terminal or a pipe; help lists them. No .grad is written. Exit codes: 1 if --check found
    a difference, 2 if a command in a pipe couldn't be carried out.
    """
    from autograd_lab.backward import check_engine
    from autograd_lab.cli.debugger import Debugger, SteppedEngine
    from autograd_lab.cli.raised import told_in_one_line
    from autograd_lab.cli.target import one_number, watched

    with watched(target, inputs) as (found, annotated), told_in_one_line(target, annotated):
        one_number(target, found)
        if check:
            result = check_engine(found.loss, model=found.model, names=found.names)
            click.echo(result)
            sys.exit(0 if result.ok else 1)
        engine = SteppedEngine(found.loss, model=found.model, names=found.names)
        engine.graph = annotated(engine.graph)
        interactive = sys.stdin.isatty()
        debugger = Debugger(engine, stdin=sys.stdin, stdout=sys.stdout, interactive=interactive)
        try:
            debugger.cmdloop()
        except KeyboardInterrupt:
            click.echo("")
        sys.exit(WRONG_CALL if debugger.mistakes and not interactive else 0)
