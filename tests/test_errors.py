"""What is unknown gets the same end of a message everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import autograd_lab as lab
from autograd_lab.cli import breakpoints
from autograd_lab.cli.target import find
from autograd_lab.errors import nearest

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
