"""What the user's own code raises ends a command in one line, with the user's own line in it, never in a traceback."""

from __future__ import annotations

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
