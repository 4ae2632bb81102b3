"""A command line of one's own: what any set of commands needs, whatever they do.

Relies on ``cmd`` of the standard library, which brings help, history and completion to a terminal (by ``readline``) and
reads a pipe just as well. Promises that a pipe's commands are written out behind the prompt, and that prose is as wide
as the terminal.
"""

from __future__ import annotations

import cmd
import textwrap
from collections.abc import Mapping
from typing import IO, Any, ClassVar

from autograd_lab.draw.tables.grid import LEAST, terminal_width
from autograd_lab.errors import OptionError, nearest

_FOLDED: Any = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}

_WIDE = 24
"""A usage as long as this doesn't widen the column of ``help``."""


class Shell(cmd.Cmd):
    """Reads commands: a subclass's methods ``do_NAME``, each with its usage as the docstring.

    Attributes:
        short: Short form → the command that it stands for.

    Args:
        stdin: Where commands come from.
        stdout: Where answers go.
        interactive: Whether a person types them: a pipe's are written out, so that what was done can be read.
    """

    short: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *, stdin: IO[str], stdout: IO[str], interactive: bool) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.use_rawinput = interactive
        self._echo = not interactive

    def do_help(self, arg: str) -> None:
        """help [COMMAND]: what the commands are, or one of them in full."""  # noqa: D403 - so typed
        if arg:
            name = self.short.get(arg, arg)
            if name not in self._commands():
                raise self._unknown(arg)
            self.say("\n".join(text.strip() for text in self._usage(name).splitlines() if text.strip()))
            return
        usages = [self._usage(name).splitlines()[0].partition(": ") for name in self._commands()]
        width = max(len(usage) for usage, _, _ in usages if len(usage) < _WIDE)
        for usage, _, what in usages:
            name = usage if len(usage) <= width else f"{usage.split()[0]} …"
            self.say(f"{name:{width}}  {what}")
        self.say(
            f"help COMMAND says more. {', '.join(self.short)} will do for {', '.join(self.short.values())}."
        )

    def do_quit(self, text: str) -> bool:
        """quit: leave."""
        del text
        return True

    do_EOF = do_quit  # noqa: N815 - the name that ``cmd`` looks for

    # --- what cmd asks -----------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Runs one command."""
        head, _, rest = line.strip().partition(" ")
        return bool(super().onecmd(f"{self.short.get(head, head)} {rest}".strip() if head else line))

    def precmd(self, line: str) -> str:
        """Writes a pipe's command out behind the prompt."""
        if self._echo:
            self.say("" if line == "EOF" else line)
        return line

    def emptyline(self) -> bool:
        """Does the last command once more, as debuggers do."""
        return self.onecmd(self.lastcmd) if self.lastcmd else False

    def default(self, line: str) -> None:
        """An unknown command: which one was perhaps meant."""
        raise self._unknown(line.split(maxsplit=1)[0])

    def completenames(self, text: str, *_: Any) -> list[str]:
        """Commands by their full names."""
        return [name for name in self._commands() if name.startswith(text)]

    def complete_help(self, text: str, *_: Any) -> list[str]:
        """Commands."""
        return self.completenames(text)

    # --- writing ---------------------------------------------------------------------------

    def _commands(self) -> list[str]:
        found = (name.removeprefix("do_") for name in self.get_names() if name.startswith("do_"))
        return [name for name in found if name != "EOF"]

    def _usage(self, command: str) -> str:
        return str(getattr(self, f"do_{command}").__doc__)

    def _unknown(self, name: str) -> OptionError:
        return OptionError(f"no command {name!r}; {nearest(name, self._commands(), 'help lists them')}")

    def say(self, text: str) -> None:
        """Writes lines as they are."""
        print(text, file=self.stdout)

    def tell(self, text: str) -> None:
        """Writes lines of prose as wide as the terminal; indented lines and long words, such as paths, stay."""
        width = max(terminal_width(), LEAST)
        for line in text.split("\n"):
            prose = line and not line.startswith("    ")
            self.say(textwrap.fill(line, width, **_FOLDED) if prose else line)
