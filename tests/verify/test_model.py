"""A step with rules swapped in beside the same step without."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from autograd_lab.capture.graph import capture
from autograd_lab.draw.tables.verify import verify_table
from autograd_lab.errors import SwapError, VerifyError
from autograd_lab.functions import Mul, Rule, rule, rules
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
    left = {check.name: check.message for check in report.checks if check.ok is None}
    assert set(left) <= {"each result alone"}, left


@pytest.mark.parametrize("swap", ["all", "mul", ("mul", "pow")])
def test_a_model_agrees_and_says_what_was_swapped(swap):
    torch.manual_seed(3)
    model = Gate()
    model.a.weight.grad = torch.ones(4, 3)
    state = torch.get_rng_state()
    report = verify(model, (torch.randn(2, 3),), swap=swap)
    assert report.ok, report.failed
    assert "mul.Tensor" in dict(report.swapped)
    assert dict(report.native).get("AddmmBackward0", 0) == (0 if swap == "all" else 2)
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
    assert re.fullmatch(
        r"they part first at #\d+ MulBackward \(made by torch.Tensor.mul, at test_model.py:\d+\)",
        parting.message,
    )
    assert parting.mismatch.what.startswith("grad_inputs[1] of #")
    wrong = {check.name for check in report.failed}
    assert "gradient of b.weight" in wrong
    assert "gradient of a.weight" not in wrong


@pytest.fixture
def affine(monkeypatch):
    """A rule that stands for a whole composite, one node for PyTorch's three; wrong only if asked."""
    monkeypatch.delitem(rules, "linear")

    @rule
    class Affine(Rule):
        name = "affine"
        replaces = {"linear": lambda x, weight, bias=None: (x, weight, bias)}  # noqa: RUF012
        formula = {"x": "grad @ weight", "weight": "grad.mT @ x", "bias": "grad.sum(0)", "result": "None"}  # noqa: RUF012
        generate_vmap_rule = True
        factor = 1.0

        @staticmethod
        def forward(x, weight, bias):
            return torch.nn.functional.linear(x, weight, bias)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs[:2])

        @staticmethod
        def backward(ctx, grad):
            x, weight = ctx.saved_tensors
            return grad @ weight, grad.mT @ x * Affine.factor, grad.sum(0)

        @staticmethod
        def jvp(ctx, *tangents):
            raise NotImplementedError

        @staticmethod
        def samples(dtype):
            yield from ()

    yield Affine
    del rules["affine"]


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))

    def forward(self, x):
        return self.layers(x) * 2


def test_graphs_with_other_nodes_are_compared_call_by_call(affine):
    report = verify(Deep(), (torch.randn(5, 3),), swap="affine")
    assert report.ok, report.failed
    assert dict(report.swapped) == {"linear": 3}
    assert "AddmmBackward0" not in dict(report.native)
    assert report.checks[-1].samples == 6  # three linear, two tanh, one product


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_wrong_composite_is_found_where_it_ran(affine, at):
    model, right = Deep(), affine.backward
    weight = model.layers[at].weight

    def wrong(ctx, grad):
        first, second, third = right(ctx, grad)
        return first, second * 1.5 if ctx.saved_tensors[1] is weight else second, third

    affine.backward = staticmethod(wrong)
    report = verify(model, (torch.randn(5, 3),), swap="affine")
    assert [check.name for check in report.failed] == [
        f"gradient of layers.{at}.weight",
        "every node on the way",
    ]
    assert f"AffineBackward (in layers.{at}, made by torch.nn.functional.linear" in report.failed[-1].message


def test_every_gradient_says_how_far_it_is_apart(affine):
    affine.factor = 1 + 2**-20
    torch.manual_seed(0)
    report = verify(Deep(), (torch.randn(5, 3),), swap="affine")
    weights = {check.name: check for check in report.checks if "weight" in check.name}
    assert len(weights) == 3
    for check in weights.values():
        assert check.ok
        assert check.relative == pytest.approx(2**-20, rel=0.1)
        assert (
            4 < check.ulps < 17
        )  # 2**-20 are 8 units of 2**-23, of a number between 1 and 2 times its last place's
    assert {check.ulps for check in report.checks if "bias" in check.name} == {0.0}
    table = verify_table(report, width=200)
    assert re.search(
        r"gradient of layers\.0\.weight +ok +1 +within [0-9.]+ ulps, [0-9.]+e-0[67] relative", table
    )
    assert re.search(r"gradient of layers.0.bias +ok +1 +equal", table)


def test_a_gradient_that_is_nothing_but_rounding_is_no_difference(affine):
    """The gradient of a key's bias is zero; what comes of it is noise, and another order of summing is other noise."""

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return (self.query(x) @ self.key(x).mT / 8**0.5).softmax(-1) @ x

    right = affine.backward
    affine.backward = staticmethod(lambda ctx, grad: (*right(ctx, grad)[:2], grad.flip(0).cumsum(0)[-1]))
    torch.manual_seed(0)
    report = verify(Attention(), (torch.randn(32, 8),), swap="affine")
    assert report.ok, report.failed
    bias = next(check for check in report.checks if check.name == "gradient of key.bias")
    assert re.fullmatch(r"zero but for rounding: [.\de-]+ beside terms of [.\d]+", bias.message)
    assert bias.scale > 1e-3
    assert bias.ulps < 16  # of the terms; of what is left of them it would be millions


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1, 1e6])
@pytest.mark.parametrize("by", [-1, 1.001, 0.5])
def test_a_small_gradient_is_judged_by_its_own_size(monkeypatch, size, by):
    """What comes in beside a tiny input is large, but no term of the gradient."""
    right = Mul.backward

    def wrong(ctx, grad):
        first, second = right(ctx, grad)
        return None if first is None else first * by, second

    monkeypatch.setattr(Mul, "backward", staticmethod(wrong))
    w = torch.linspace(1, 2, 8, requires_grad=True)
    report = verify(lambda: (w * (torch.linspace(0.5, 1, 8) * size)).sum(), swap="mul")
    assert [check.name for check in report.failed] == ["gradient of leaf0", "every node on the way"]


@pytest.mark.parametrize("by", [0, 1e-3])
def test_a_bias_before_a_norm_says_by_which_scale_it_is_judged(affine, by):
    """Its gradient is zero but for rounding; wrong by a thousandth of the terms it isn't."""
    right = affine.backward
    affine.backward = staticmethod(
        lambda ctx, grad: (*right(ctx, grad)[:2], grad.flip(0).cumsum(0)[-1] + by * grad.abs().sum(0))
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    report = verify(model, (torch.randn(32, 6),), swap="affine")
    bias = next(check for check in report.checks if check.name == "gradient of 0.bias")
    assert bias.ok is (by == 0)
    if by == 0:
        assert "zero but for rounding: " in bias.message
        assert bias.ulps < 256
        assert "zero but for rounding" in " ".join(str(report).split())
        assert loads(dumps(report)) == report


def test_a_gradient_that_is_zero_is_equal():
    def zero():
        w, b = torch.ones(2, requires_grad=True), torch.ones((), requires_grad=True)
        return (w * 2 + b - b).sum()

    report = verify(zero, swap="mul")
    assert {(check.ulps, check.relative) for check in report.checks if "gradient" in check.name} == {
        (0.0, 0.0)
    }
    assert len(re.findall(r"ok +1 +equal", str(report))) == 3


@pytest.mark.parametrize("places", [[1], [1, 1, 2], [[0, 1], [1, 3]]])
@pytest.mark.parametrize("wrong", [False, True])
def test_sparse_gradients_are_compared(places, wrong, monkeypatch):
    embedding = nn.Embedding(4, 2, sparse=True)
    if wrong:
        right = rules["sum"].backward
        monkeypatch.setattr(
            rules["sum"],
            "backward",
            staticmethod(lambda ctx, grad: (right(ctx, grad)[0] * 2, *right(ctx, grad)[1:])),
        )
    report = verify(lambda: (embedding(torch.tensor(places)).sum(), embedding), swap="sum")
    assert [check.name for check in report.failed] == (
        ["gradient of weight", "every node on the way"] if wrong else []
    )
    assert any(check.name == "gradient of weight" for check in report.checks)


def test_a_step_that_cannot_run_is_the_callers_and_what_only_raises_swapped_is_the_rules(monkeypatch):
    with pytest.raises(VerifyError, match="Linear can't be called with these inputs: RuntimeError: mat1"):
        verify(nn.Linear(2, 3), (torch.ones(4, 5),), swap="all")

    def broken():
        x = torch.ones(2, requires_grad=True)
        y = x.exp()
        loss = y.sum()
        y.add_(1)
        return loss

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        verify(broken, swap="mul")

    def raises(ctx, grad):
        raise IndexError("mine")

    monkeypatch.setattr(Mul, "backward", staticmethod(raises))
    report = verify(lambda: (torch.ones(2, requires_grad=True) * 2).sum(), swap="mul")
    assert (report.ok, report.failed[0].message) == (False, "with the rules it raises IndexError: mine")


def test_several_outputs_are_compared_one_by_one():
    report = verify(nn.LSTM(2, 3), (torch.ones(4, 1, 2),), swap="mul")
    assert [check.name for check in report.checks if "output" in check.name] == [
        "output 0",
        "output 1",
        "output 2",
    ]


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
    with pytest.raises(VerifyError, match="can't swap inside an int"):
        verify(3, swap="all")


def test_an_inputs_gradient_is_compared_under_its_name():
    x = torch.ones(2, 3, requires_grad=True)
    report = verify(torch.nn.Linear(3, 1), (x,), swap="all")
    assert "gradient of input0" in [check.name for check in report.checks]


@pytest.mark.parametrize("together", [list, tuple, lambda both: dict(zip("01", both, strict=True))])
def test_a_step_of_several_models_names_their_gradients_and_keeps_grad(together):
    both = nn.Linear(2, 3), nn.Linear(3, 1)
    kept = both[0].weight.grad = torch.full((3, 2), 7.0)
    report = verify(lambda: (both[1](both[0](torch.ones(1, 2))).sum(), together(both)), swap="all")
    named = {check.name for check in report.checks if check.name.startswith("gradient of")}
    assert named == {f"gradient of {at}.{what}" for at in "01" for what in ("weight", "bias")}
    assert both[0].weight.grad is kept
    assert torch.equal(kept, torch.full((3, 2), 7.0))
    assert both[1].weight.grad is None


class Fresh(nn.Module):
    """Makes its weights when it's called."""

    def forward(self, x):
        return F.linear(x, nn.Parameter(torch.randn(2, x.shape[1])), nn.Parameter(torch.zeros(2)))


def made_anew():
    x, shared = torch.ones(2, 3), torch.ones(3, requires_grad=True)
    yield "a layer", lambda: nn.Linear(3, 2)(x).sum()
    yield "a model", lambda: nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.Linear(3, 3))(x).square().sum()
    yield "two models", lambda: (nn.Linear(3, 3)(x) * nn.Linear(3, 3)(x)).sum()
    yield "weights in a forward", lambda: Fresh()(Fresh()(x)).square().sum()
    yield (
        "weights of a function",
        lambda: (F.linear(x, weight(3, 3), weight(3)) * weight(2, 3)).square().sum(),
    )
    yield "the same numbers", lambda: (ones() * (ones() + ones()).exp()).sum() + ones().sum() * 3
    yield "some", lambda: (nn.Linear(3, 3)(x) * shared).square().sum()
    yield "with a model", lambda: (nn.Linear(3, 2)(MADE(x)).sum(), MADE)


MADE = nn.Linear(3, 3)


def weight(*shape):
    return torch.randn(shape, requires_grad=True)


def ones():
    return torch.ones(3, requires_grad=True)


@pytest.mark.parametrize("step", [pytest.param(step, id=name) for name, step in made_anew()])
def test_leaves_that_each_call_makes_anew_are_compared_each_with_its_own(step):
    report = verify(step, swap="all")
    assert report.ok, str(report)
    gradients = [check.name for check in report.checks if check.name.startswith("gradient of")]
    loss = step()
    loss = loss[0] if isinstance(loss, tuple) else loss
    assert len(gradients) == len(set(gradients)) == len(capture(loss).leaves)


def test_a_wrong_rule_is_found_where_the_leaves_are_made_anew(monkeypatch):
    backward = rules["linear"].backward
    monkeypatch.setattr(rules["linear"], "backward", staticmethod(lambda ctx, grad: backward(ctx, -grad)))
    report = verify(lambda: nn.Linear(3, 2)(torch.ones(2, 3)).sum(), swap="all")
    wrong = {check.name for check in report.failed}
    assert wrong == {"gradient of weight", "gradient of bias", "every node on the way"}


def test_random_numbers_of_elsewhere_are_said_to_be_that():
    numbers = iter(torch.arange(100.0))
    report = verify(lambda: (torch.ones(2) * next(numbers).clone().requires_grad_()).sum(), swap="all")
    (check,) = report.checks
    assert (check.name, check.ok) == ("leaves", False)
    assert "made leaves with other numbers" in check.message
