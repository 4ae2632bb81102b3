"""The command line: ``autograd-lab``, also ``python -m autograd_lab``.

One subcommand a file, each thin: it reads its arguments, calls what the library offers to everyone, and prints.
Exit codes: 0 fine, 1 a check found a difference, 2 the call was wrong. A wrong call gets one line that says what
to do, never a traceback.
"""

from __future__ import annotations

import sys

import click

import autograd_lab
from autograd_lab._version import __version__
from autograd_lab.cli.demo import demo
from autograd_lab.cli.doctor import doctor
from autograd_lab.cli.options import WRONG_CALL
from autograd_lab.cli.render import render
from autograd_lab.cli.run import run
from autograd_lab.cli.show import show
from autograd_lab.cli.step import step
from autograd_lab.cli.tour import tour
from autograd_lab.cli.trace import trace
from autograd_lab.cli.verify import verify
from autograd_lab.errors import LabError, OptionError, escaped, nearest


class _Commands(click.Group):
    """Answers an unknown command as the lab answers what is unknown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            raise OptionError(f"no command {args[0]!r}: {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="autograd-lab")
def cli() -> None:
    """See what loss.backward() does in PyTorch.

    A TARGET is path/to/file.py:name or package.module:name. What it names is a callable without arguments that
    returns a loss, (loss, model) or (loss, model, {"name": tensor}), or a module or what builds one, together with
    --input.
    """


for command in (render, trace, run, show, step, verify, tour, demo, doctor):
    cli.add_command(command)


def main() -> None:
    """Runs the command line and exits with its code."""
    try:
        code = cli.main(prog_name="autograd-lab", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.Abort:
        click.echo("autograd-lab: stopped", err=True)
        code = 130
    except click.ClickException as error:
        _complain(_in_our_words(error))
        code = WRONG_CALL
    except LabError as error:
        _complain(error.on_command_line())
        code = WRONG_CALL
    except (ImportError, AttributeError):
        if (lacking := _lacking()) is None:
            raise
        _complain(lacking)
        code = WRONG_CALL
    sys.exit(code or 0)


def _in_our_words(error: click.ClickException) -> str:
    """Returns what click found wrong, said as the lab says it."""
    if isinstance(error, click.NoSuchOption):
        parameters = [] if error.ctx is None else error.ctx.command.get_params(error.ctx)
        known = [name for parameter in parameters for name in parameter.opts if name.startswith("--")]
        return f"no option {error.option_name}: {nearest(error.option_name, known)}"
    if (
        isinstance(error, click.BadParameter)
        and not isinstance(error, click.MissingParameter)
        and error.param
    ):
        return f"{max(error.param.opts, key=len)}: {error.message}"
    return error.format_message()


def _lacking() -> str | None:
    """Returns what is missing, if the lab can't even be imported for that reason: torch, or something in it."""
    try:
        _ = autograd_lab.verify
    except (LabError, AttributeError) as error:
        return str(error)
    return None


def _complain(message: str) -> None:
    """One line, whatever the message was made of."""
    click.echo(f"autograd-lab: {escaped(' '.join(message.split()))}", err=True)
