"""What ``gradcheck`` says, read: a cause and one sentence, and none of torch's own text."""

from __future__ import annotations

import inspect
import re

import pytest
import torch
from torch.autograd import Function, gradcheck
from torch.autograd.gradcheck import GradcheckError

from autograd_lab.verify import verify
from autograd_lab.verify.slopes import SLOPE, UNSUPPORTED, read


class Base(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


class Slope(Base):
    @staticmethod
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] * grad


class Reentrancy(Base):
    calls = 0

    @staticmethod
    def backward(ctx, grad):
        Reentrancy.calls += 1
        return (2 + 1e-9 * Reentrancy.calls) * ctx.saved_tensors[0] * grad


class Scaling(Base):
    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad + 1e-9


class Undefined(Base):
    """Gives something where nothing comes in."""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return Base.forward(ctx, x)

    @staticmethod
    def backward(ctx, grad):
        return torch.ones_like(ctx.saved_tensors[0]) if grad is None else Base.backward(ctx, grad)


class Halves(Base):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.mark_non_differentiable(made := x * x)
        return made


class Unstable(Base):
    """As many results as the first input says."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x * x)[: 1 + int(x.detach().reshape(-1)[0] > 1)]

    @staticmethod
    def backward(ctx, grad):
        raise RuntimeError("never called")


def said(function, x):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        try:
            gradcheck(function, (x,), fast_mode=True)
        except Exception as error:
            return read(error)
    return None


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64, requires_grad=True)


CASES = [
    (Slope.apply, ones(2), SLOPE),
    (Halves.apply, ones(2), SLOPE),
    (Reentrancy.apply, ones(2), "reentrancy"),
    (Scaling.apply, ones(2), "scaling"),
    (Undefined.apply, ones(2), "undefined"),
    (Unstable.apply, ones(2), "result"),
    (lambda x: x.to_sparse(), ones(2), UNSUPPORTED),
    (torch.sin, ones(1).detach().expand(3).requires_grad_(), UNSUPPORTED),
]


@pytest.mark.parametrize(
    ("function", "x", "cause"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_cause_is_told_in_one_sentence(function, x, cause):
    found = said(function, x)
    assert found.cause == cause
    assert "\n" not in found.sentence
    assert len(found.sentence) < 200
    assert not re.search(r"NOTE|derivatives\.yaml|Please|fast mode|The above|tolerance", found.sentence)


def test_every_message_of_gradcheck_is_known():
    """Each text that torch raises has a cause; those about options that aren't used here stand aside."""
    module = inspect.getmodule(GradcheckError)
    raised = re.findall(
        r"raise GradcheckError\(\s*f?((?:[\"'][^\"']*[\"']\s*f?)+)", inspect.getsource(module)
    )
    texts = ["".join(re.findall(r"[\"']([^\"']*)[\"']", each)) for each in raised]
    aside = ("batched gradients", "Forward AD", "tangent", "no Tensors requiring grad", "undefined tangent")
    texts = [text for text in texts if text.strip() and not any(part in text for part in aside)]
    texts.remove("grad is incorrect layout (")  # the layouts follow in parts
    assert len(texts) > 8
    assert [text for text in texts if read(GradcheckError(_filled(text))).cause == "other"] == []


def _filled(text):
    return text.replace("grad is {sparse_kind} tensor, but has", "grad is a sparse tensor, but has")


def test_an_unknown_message_is_told_by_its_first_line_and_the_functions_own_exception_is_no_finding():
    found = read(GradcheckError("something new\nNOTE: a lot more"))
    assert found == ("other", "torch.autograd.gradcheck refuses it: something new")
    assert read(ValueError("mine")) is None


def test_the_exception_behind_a_finding_is_told():
    assert re.search(r"undefined gradient .*; it raises \w+Error: ", said(Raising.apply, ones(2)).sentence)


class Raising(Base):
    """Takes no undefined gradient."""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return Base.forward(ctx, x)

    @staticmethod
    def backward(ctx, grad):
        if grad is None:
            raise RuntimeError("I want a tensor")
        return Base.backward(ctx, grad)


def finite_differences(report):
    (check,) = (check for check in report.checks if check.name == "finite differences")
    return check


def test_a_reentrancy_fault_is_no_other_slope():
    x = torch.tensor([0.3, 0.7], dtype=torch.float64, requires_grad=True)

    class Once(Base):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.clone())
            return x.sin()

        @staticmethod
        def backward(ctx, grad):
            return ctx.saved_tensors[0].data.cos_().mul_(grad)

    check = finite_differences(verify(Once, (x,)))
    assert (check.ok, check.message) == (False, "running backward twice gives different gradients")


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1, 1e9])
def test_a_wrong_slope_is_found_whatever_its_size(factor):
    """``gradcheck`` alone lets any gradient below its absolute tolerance pass."""
    x = ones(3)
    right = finite_differences(verify(lambda x: x.sin() * factor, (x,)))
    assert right.ok, right

    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return torch.from_numpy(x.detach().numpy() * factor)

        @staticmethod
        def backward(ctx, grad):
            return grad * factor * 1.1

    assert finite_differences(verify(Wrong, (x,))).ok is False


def test_a_surrogate_has_a_dash_and_the_reason():
    class Round(Function):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, grad):
            return grad

    report = verify(
        Round, (ones(3) * 0.3).detach().requires_grad_(), native=lambda x: x + (x.round() - x).detach()
    )
    assert report.ok
    check = finite_differences(report)
    assert (check.ok, check.message) == (None, "native isn't the slope of its forward either")
    report = verify(Round, (ones(3) * 0.3).detach().requires_grad_())
    assert (
        finite_differences(report).ok is False
    )  # PyTorch's own gradient of round is zero, and so is the slope


def test_results_that_are_not_finite_are_not_tried():
    x = torch.tensor([-1.0], dtype=torch.float64, requires_grad=True)
    report = verify(torch.sqrt, (x,))
    (first,) = (check for check in report.checks if check.name == "reproducible")
    check = finite_differences(report)
    assert check.ok
    assert 0 < check.samples < first.samples
    check = finite_differences(verify(lambda x: x.sqrt() * float("nan"), (x,)))
    assert (check.ok, check.samples, check.message) == (None, 0, "its result isn't finite")


class Row(Function):
    """A sparse gradient: that of a lookup, with a row that occurs twice."""

    @staticmethod
    def forward(ctx, table, rows):
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return table[rows]

    @staticmethod
    def sparse(ctx, grad):
        (rows,) = ctx.saved_tensors
        return torch.sparse_coo_tensor(rows[None], grad, ctx.shape, check_invariants=False)

    @staticmethod
    def backward(ctx, grad):
        return Row.sparse(ctx, grad), None


class WrongRow(Row):
    @staticmethod
    def backward(ctx, grad):
        return Row.sparse(ctx, 2 * grad), None


class RowWithMore(Row):
    """Its slope is right to the tolerance, but it isn't zero where what comes in is."""

    @staticmethod
    def backward(ctx, grad):
        return Row.sparse(ctx, grad + 1e-9), None


def looked_up(table, rows):
    return torch.nn.functional.embedding(rows, table, sparse=True)


@pytest.mark.parametrize(
    ("target", "ok", "says"),
    [
        (Row, True, ""),
        (looked_up, True, ""),
        (WrongRow, False, "finite differences find another slope"),
        (RowWithMore, False, "a gradient isn't zero where the gradient that comes in is zero"),
    ],
)
def test_a_sparse_gradient_of_a_dense_input_is_judged_by_its_numbers(target, ok, says):
    table = torch.linspace(0.5, 2, 8, dtype=torch.float64).reshape(4, 2).requires_grad_()
    check = finite_differences(verify(target, (table, torch.tensor([1, 1, 2]))))
    assert check.ok is ok
    assert check.message.startswith(says)
