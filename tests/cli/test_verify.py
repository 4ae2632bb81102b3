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

class Round(Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad):
        return grad

def straight(x):
    return x + (x.round() - x).detach()

def broken():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    loss = y.sum()
    y.add_(1)
    return loss

def raises():
    return torch.ones(2, 2) @ torch.ones(5, 5)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 1)

    def forward(self, x):
        return self.linear(x)

def build():
    return Net()

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
    ran = lab("verify", "models.py:model", "--input", "2x3", "--swap", "mul, add")
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
        (
            ["verify", "models.py:loss_and_model", "--swap", " , "],
            "there is no rule ' , '",
        ),
        (
            ["verify", "models.py:loss_and_model", "--swap", "mul", "--native", "torch:mul"],
            "--native would say nothing",
        ),
        (["verify", "mul", "--native", "torch:mul"], "--native would say nothing"),
        (["verify", "mul", "--input", "3:float64"], "inputs would say nothing"),
    ):
        ran = lab(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert says in ran.err
        assert ran.err.count("\n") == 1


def test_native_and_skip(lab):
    Path("functions.py").write_text(FUNCTIONS)
    assert lab("verify", "functions.py:Round").code == 1
    ran = lab("verify", "functions.py:Round", "--native", "functions.py:straight")
    assert (ran.code, ran.err) == (0, "")
    assert "native isn't the slope of its forward either" in " ".join(ran.out.split())
    ran = lab("verify", "functions.py:Wrong", "--skip", "gradients")
    assert ran.code == 1
    ran = lab(
        "verify",
        "functions.py:Round",
        "--skip",
        "gradients",
        "--skip",
        "finite differences",
        "--skip",
        "second order",
    )
    assert ran.code == 0
    assert ran.out.startswith("Round: right in 8 checks, 3 skipped")
    assert lab("verify", "torch:sinc", "--native", "torch:sinc", "--input", "3:float64").code == 0


def test_what_can_only_be_verified_with_swap_says_so(lab):
    Path("functions.py").write_text(FUNCTIONS)
    for arguments, says in (
        (["models.py:model"], "models.py:model is a module: add --swap all, or --swap mul,pow"),
        (["models.py:model", "--input", "2x3"], "models.py:model is a module: add --swap all"),
        (["functions.py:Net", "--input", "2x3"], "functions.py:Net is a module: add --swap all"),
        (["functions.py:build", "--input", "2x3"], "functions.py:build takes no arguments: add --swap all"),
        (["models.py:loss"], "models.py:loss takes no arguments: add --swap all"),
        (["functions.py:straight"], "functions.py:straight is a callable: say what goes in, such as --input"),
        (["functions.py:Round", "--native", "functions.py:missing"], "has no 'missing'"),
        (
            ["functions.py:Round", "--skip", "gradient"],
            "no check 'gradient' to skip; did you mean 'gradients'?",
        ),
        (["functions.py:raises", "--swap", "all"], "RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        (
            ["functions.py:Net", "--input", "2x5", "--swap", "all"],
            "Net can't be called with these inputs: Runtime",
        ),
    ):
        ran = lab("verify", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert says in ran.err
        assert ran.err.count("\n") == 1


def test_a_backward_that_raises_by_itself_ends_in_one_line(lab):
    Path("functions.py").write_text(FUNCTIONS)
    ran = lab("verify", "functions.py:broken", "--swap", "all")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "autograd-lab: the backward of functions.py:broken raised RuntimeError: one of the vari"
    )
    assert ran.err.count("\n") == 1
