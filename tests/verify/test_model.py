"""A step with rules swapped in beside the same step without."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autograd_lab.errors import SwapError, VerifyError
from autograd_lab.functions import Mul, rules
from autograd_lab.records import dumps, loads
from autograd_lab.verify import verify


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(3, 4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.a(x) * torch.sigmoid(self.b(x))) ** 2


@pytest.mark.parametrize("name", sorted(rules))
def test_every_rule_is_right(name):
    report = verify(name)
    assert report.ok, report.failed
    assert sum(check.ok is True for check in report.checks) == 11


@pytest.mark.parametrize("swap", ["all", "mul", ("mul", "pow")])
def test_a_model_agrees_and_says_what_was_swapped(swap):
    torch.manual_seed(3)
    model = Gate()
    model.a.weight.grad = torch.ones(4, 3)
    state = torch.get_rng_state()
    report = verify(model, (torch.randn(2, 3),), swap=swap)
    assert report.ok, report.failed
    assert "mul.Tensor" in dict(report.swapped)
    assert dict(report.native)["AddmmBackward0"] == 2
    assert ("PowBackward0" in dict(report.native)) == (swap == "mul")
    assert {f"gradient of {name}" for name, _ in model.named_parameters()} <= {
        check.name for check in report.checks
    }
    assert model.a.weight.grad.eq(1).all()
    assert model.b.weight.grad is None
    assert torch.equal(torch.get_rng_state()[16:], state[16:]) is False  # torch.randn above drew
    assert loads(dumps(report)) == report


def test_the_random_state_is_left_alone():
    model, x = Gate(), torch.randn(2, 3)
    state = torch.get_rng_state()
    verify(model, (x,), swap="all")
    assert torch.equal(torch.get_rng_state(), state)


def test_a_wrong_rule_is_caught_at_its_node(monkeypatch):
    right = Mul.backward

    def wrong(ctx, grad):
        first, second = right(ctx, grad)
        return first, None if second is None else -second

    monkeypatch.setattr(Mul, "backward", staticmethod(wrong))
    report = verify(Gate(), (torch.randn(2, 3),), swap="all")
    assert not report.ok
    parting = report.checks[-1]
    assert parting.message.startswith("they part first at #")
    assert parting.message.endswith("MulBackward")
    wrong = {check.name for check in report.failed}
    assert "gradient of b.weight" in wrong
    assert "gradient of a.weight" not in wrong


def test_callables_that_return_a_loss():
    def step():
        model = Gate()
        return model(torch.ones(2, 3)).sum(), model

    report = verify(step, swap="all", seed=5)
    assert report.ok
    assert report.seed == 5
    assert len(report.checks) == 6


def test_wrong_calls_get_one_line():
    with pytest.raises(SwapError, match="there is no rule 'mult'"):
        verify(Gate(), (torch.randn(2, 3),), swap="mult")
    with pytest.raises(VerifyError, match="there is no rule 'mult'"):
        verify("mult")
    with pytest.raises(VerifyError, match="without a gradient"):
        verify(lambda: torch.ones(2), swap="all")
    with pytest.raises(VerifyError, match="can't swap inside a int"):
        verify(3, swap="all")
