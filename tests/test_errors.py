"""What is unknown gets the same end of a message everywhere."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import pytest
import torch

import autograd_lab as lab
from autograd_lab.cli import breakpoints, cli
from autograd_lab.cli.target import find
from autograd_lab.errors import Option, OptionError, escaped, nearest

PACKAGE = Path(lab.__file__).parent


def loss():
    w = torch.ones(2, requires_grad=True)
    return lab.capture((w * 2).sum(), names={"weight": w}), (w * 2).sum()


@pytest.mark.parametrize(
    ("ask", "meant"),
    [
        (lambda: lab.swap("al"), "all"),
        (lambda: lab.swap("sofmax"), "softmax"),
        (lambda: lab.verify("sofmax"), "softmax"),
        (lambda: lab.verify("mul", skip="vmpa"), "vmap"),
        (lambda: lab.verify(torch.nn.Linear(2, 2), (torch.ones(2),), swap="linaer"), "linear"),
        (lambda: lab.render(loss()[0], format="pgn"), "png"),
        (lambda: lab.render(loss()[0], "x.pgn"), "png"),
        (lambda: lab.render(loss()[0], view="grahp"), "graph"),
        (lambda: lab.render(loss()[1], view="grahp"), "graph"),
        (lambda: lab.render(loss()[0], detph=1), "depth"),
        (lambda: lab.render(loss()[0], format="svg", direction="rihgt"), "right"),
        (lambda: lab.Engine(loss()[1]).run(until="MulBackwrd0"), "MulBackward0"),
        (lambda: breakpoints.read("wieght", loss()[0]), "weight"),
        (lambda: find("torch.nn:Linaer"), "Linear"),
    ],
)
def test_what_was_perhaps_meant_is_said_alike(ask, meant):
    with pytest.raises(lab.LabError) as found:
        ask()
    assert f"did you mean {meant!r}?" in str(found.value)


def test_one_function_looks_for_near_names():
    files = [path for path in PACKAGE.rglob("*.py") if "get_close_matches" in path.read_text("utf-8")]
    assert files == [PACKAGE / "errors.py"]


def test_a_message_says_what_something_is_not():
    vague = re.compile(r"isn't one[;:\"]")
    assert [path for path in PACKAGE.rglob("*.py") if vague.search(path.read_text("utf-8"))] == []


def test_where_nothing_is_near():
    assert nearest("zz", ["a", "b", "a"]) == "use one of a, b"
    assert nearest("zz", ["a"], "help lists them") == "help lists them"
    assert nearest("Sub", ["MulBackward0", "SubBackward0"], "graph") == "did you mean 'SubBackward0'?"
    assert nearest("aa", ["aaa"], "help lists them") == "did you mean 'aaa'?"


def test_an_option_is_written_as_it_is_where_the_message_is_shown():
    error = OptionError("give one, or take ", Option("view", "norms"), " without ", Option("depth"))
    assert str(error) == "give one, or take view='norms' without depth"
    assert error.on_command_line() == "give one, or take --view norms without --depth"
    assert OptionError("plain").on_command_line() == "plain"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.on_command_line()) == (str(error), error.on_command_line())


OPTIONS = {
    name.removeprefix("--")
    for command in cli.commands.values()
    for each in command.params
    for name in each.opts
}


def in_messages(path: Path):
    """Every text that is handed to an error, or handed on to one as its parts."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error"):
            yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))


@pytest.mark.parametrize("room", ["draw", "verify", "pictures.py", "backward/scalar.py", "cli"])
def test_no_message_that_the_command_line_shows_spells_an_option_in_python(room):
    place = PACKAGE / room
    files = place.rglob("*.py") if place.is_dir() else [place]
    spelled = re.compile(rf"\b({'|'.join(sorted(OPTIONS - {'m', 'o', 'i', 'f'}))})=")
    found = [
        text for path in files for text in in_messages(path) if isinstance(text, str) and spelled.search(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ŷ 漢 👍 a b", "plain ŷ 漢 👍 a b"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\r\nc\td", r"a\nb\r\nc\td"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066a\u2069\u200f\u061c", r"\u2066a\u2069\u200f\u061c"),
        ("a\u2028b\u2029c\x85", r"a\u2028b\u2029c\x85"),
        ("\x07\x08\x00\x7f", r"\x07\x08\x00\x7f"),
        ("\ud800\uffff", r"\ud800\uffff"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert escaped(text) == shown
    assert escaped(shown) == shown
