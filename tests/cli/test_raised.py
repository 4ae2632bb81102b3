"""What the user's own code raises ends a command in one line, with the user's own line in it, never in a traceback."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

BAD = """
import torch

class Fails(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1
    @staticmethod
    def backward(ctx, grad):
        raise ZeroDivisionError("mine")

def modified():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    loss = y.sum()
    y.add_(1)
    return loss

def function():
    return Fails.apply(torch.ones(2, requires_grad=True)).sum()

def vector():
    return torch.ones(2, requires_grad=True) * 2

def used_up():
    loss = (torch.ones(2, requires_grad=True) ** 2).sum()
    loss.backward()
    return loss

def shapes():
    return torch.ones(2, 2) @ torch.ones(5, 5)

def with_argument(config):
    return torch.ones(2, requires_grad=True).sum()
"""


@pytest.fixture(autouse=True)
def bad(lab, tmp_path):
    (tmp_path / "bad.py").write_text(BAD)


BACKWARDS = {
    "modified": (1, "modified by an inplace operation", ""),
    "function": (1, "raised ZeroDivisionError: mine", "bad.py:10"),
    "used_up": (1, "", ""),
    "vector": (2, "a backward starts at one number; have it return a scalar", ""),
    "shapes": (2, "RuntimeError: mat1 and mat2 shapes cannot be multiplied", "bad.py:31"),
    "with_argument": (2, "config", ""),
}


@pytest.mark.parametrize(
    "command", [["trace"], ["step", "--check"], ["verify", "--swap", "mul"]], ids=" ".join
)
@pytest.mark.parametrize("name", BACKWARDS)
def test_a_backward_that_raises_ends_in_one_line(lab, name, command):
    code, says, where = BACKWARDS[name]
    if command[0] == "verify" and name in ("vector", "used_up"):
        return  # it sums a vector itself, and says of a graph that is used up what can be done
    ran = lab(command[0], f"bad.py:{name}", *command[1:])
    assert ran.code == code, ran
    assert says in ran.err
    assert where in ran.err
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err + ran.out
    assert "autograd_lab/" not in ran.err


def test_the_table_of_what_ran_comes_first(lab):
    ran = lab("trace", "bad.py:modified")
    assert ran.out.startswith("2 steps; stopped by RuntimeError(")
    assert "#1 ExpBackward0" in ran.out
    assert "bad.py:14" in ran.err  # the line that made the node whose turn it was


WRONG = """
import torch
lin = torch.nn.Linear(2, 3)
class Silent(Exception):
    def __str__(self): raise ValueError("no text")
def vector(): return lin(torch.ones(1, 2))
def needs(width): return lin(torch.ones(1, width)).sum()
def cut():
    with torch.no_grad(): return lin(torch.ones(1, 2)).sum()
def inference():
    with torch.inference_mode(): return lin(torch.ones(1, 2)).sum()
def number(): return 3
def shapes(): return torch.ones(2, 3) @ torch.ones(5, 5)
def ends(): raise SystemExit(3)
def silent(): raise Silent
def twice():
    loss = lin(torch.ones(1, 2)).sum(); loss.backward(); return loss
def changed():
    x = torch.ones(3, requires_grad=True); h = x.exp(); loss = h.sum(); h.add_(1); return loss
"""


@pytest.mark.parametrize("command", ["trace", "step", "verify"])
@pytest.mark.parametrize(
    "name",
    ["vector", "needs", "cut", "inference", "number", "shapes", "ends", "silent", "twice", "changed"],
)
def test_whatever_goes_wrong_is_one_line_that_names_the_users_own(lab, monkeypatch, command, name):
    Path("wrong.py").write_text(WRONG)
    monkeypatch.setattr(sys, "stdin", io.StringIO("continue\n"))
    ran = lab(command, f"wrong.py:{name}", *(["--swap", "all"] if command == "verify" else []))
    if (command, name) == ("verify", "vector"):  # it takes what has several elements
        assert ran.err == ""
        return
    told = ran.err or next(line for line in ran.out.splitlines() if line.startswith("error: "))
    assert ran.code in (1, 2)
    assert "Traceback" not in ran.out + ran.err
    assert len(told.splitlines()) == 1
    starts = next(i for i, line in enumerate(WRONG.splitlines(), 1) if f"def {name}(" in line)
    assert f"wrong.py:{starts}" in told or f"wrong.py:{starts + 1}" in told
