"""A command line of one's own, with commands of the test's."""

from __future__ import annotations

import io
from typing import ClassVar

import pytest

from autograd_lab.cli.shell import Shell
from autograd_lab.errors import OptionError


class Counter(Shell):
    prompt = "> "
    short: ClassVar = {"a": "add"}

    def __init__(self, typed: str = "", *, interactive: bool = False) -> None:
        self.out = io.StringIO()
        super().__init__(stdin=io.StringIO(typed), stdout=self.out, interactive=interactive)
        self.total = 0

    def do_add(self, text):
        """add [N]: add N.

        One, if N isn't given.
        """
        self.total += int(text or 1)
        self.say(f"{self.total}")


def test_a_pipes_commands_are_written_out_behind_the_prompt():
    counter = Counter("add 2\na\nquit\nadd 9\n")
    counter.cmdloop()
    assert counter.out.getvalue() == "> add 2\n2\n> a\n3\n> quit\n"
    assert counter.total == 3


def test_the_end_of_a_pipe_leaves():
    counter = Counter("a 5")
    counter.cmdloop()
    assert counter.out.getvalue() == "> a 5\n5\n> \n"


def test_an_empty_line_does_the_last_command_once_more():
    counter = Counter()
    for line in ("", "a 2", ""):
        counter.onecmd(line)
    assert counter.total == 4


def test_help_lists_the_commands_and_says_one_in_full():
    counter = Counter()
    counter.onecmd("help")
    counter.onecmd("help a")
    listed, full = counter.out.getvalue().split("help COMMAND says more. a will do for add.\n")
    assert [line.split("  ")[0] for line in listed.splitlines()] == ["add [N]", "help [COMMAND]", "quit"]
    assert full == "add [N]: add N.\nOne, if N isn't given.\n"


@pytest.mark.parametrize("line", ["ad", "help ad"])
def test_an_unknown_command_is_refused_with_what_was_perhaps_meant(line):
    with pytest.raises(OptionError, match="no command 'ad'; did you mean 'add'"):
        Counter().onecmd(line)


def test_prose_is_as_wide_as_the_terminal_and_code_stays(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    counter = Counter()
    counter.tell(f"{'word ' * 20}\n    {'code ' * 20}")
    *prose, code = counter.out.getvalue().splitlines()
    assert len(prose) > 1
    assert all(len(line) <= 80 for line in prose)
    assert code == f"    {'code ' * 20}"
