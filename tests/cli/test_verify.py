"""``autograd-lab verify``."""

from __future__ import annotations

from pathlib import Path

FUNCTIONS = """
import torch
from torch.autograd import Function

class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad

class Wrong(Square):
    @staticmethod
    def backward(ctx, grad):
        return -2 * ctx.saved_tensors[0] * grad
"""


def test_functions_right_and_wrong(lab):
    Path("functions.py").write_text(FUNCTIONS)
    ran = lab("verify", "functions.py:Square")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Square: right in")
    ran = lab("verify", "functions.py:Wrong", "--input", "2x3:float64", "--seed", "4")
    assert (ran.code, ran.err) == (1, "")
    assert "the gradient of input 0 has the wrong sign" in " ".join(ran.out.split())
    assert "(seed 4)" in ran.out


def test_rules_and_models(lab):
    assert lab("verify", "mul").code == 0
    ran = lab("verify", "models.py:model", "--input", "2x3", "--swap", "mul,add")
    assert ran.code == 0
    assert "native: AddmmBackward0" in ran.out
    ran = lab("verify", "models.py:loss_and_model", "--swap", "all")
    assert ran.code == 0
    assert "pow.Tensor_Scalar × 1" in ran.out


def test_wrong_calls_get_one_line(lab):
    for arguments, says in (
        (["verify", "mult"], "there is no rule 'mult'"),
        (["verify", "models.py:nothing"], "has no 'nothing'"),
        (["verify", "models.py:model", "--input", "2x3", "--swap", "mult"], "there is no rule 'mult'"),
    ):
        ran = lab(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert says in ran.err
        assert ran.err.count("\n") == 1
