"""The engine's front door: whoever visits, whatever stands before it, and in whichever order visitors leave."""

from __future__ import annotations

import interrupts
import pytest
import torch

from autograd_lab._torch import engine
from autograd_lab.hold import Hold

NATIVE = torch.autograd._engine_run_backward


@pytest.fixture(autouse=True)
def _shut():
    yield
    left = torch.autograd._engine_run_backward
    torch.autograd._engine_run_backward = NATIVE
    assert left is NATIVE


def backward():
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    return x.grad.tolist()


def visitor(seen, name):
    def visit(start, run):
        seen.append(name)
        return run()

    return visit


def test_visitors_leave_in_any_order():
    seen = []
    holds = [Hold(), Hold(), Hold()]
    for name, hold in enumerate(holds):
        engine.visit(hold, visitor(seen, name))
    for hold, expected in zip((holds[0], holds[2], holds[1]), ([2, 1, 0], [2, 1], [1]), strict=True):
        seen.clear()
        assert backward() == [2, 2]
        assert seen == expected
        hold.release()
    assert torch.autograd._engine_run_backward is NATIVE


def nested():
    """A backward inside another one."""
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(torch.enable_grad()(lambda _grad: backward() and None))
    y.sum().backward()
    return x.grad.tolist()


def batched():
    x = torch.ones(2, requires_grad=True)
    (grads,) = torch.autograd.grad(x * 2, x, torch.eye(2), is_grads_batched=True)
    return grads.sum(0).tolist()


def transformed():
    return torch.func.grad(lambda x: (x * 2).sum())(torch.ones(2)).tolist()


@pytest.mark.parametrize(("program", "passed"), [(backward, 1), (nested, 1), (batched, 0), (transformed, 0)])
def test_where_every_visitor_is_passed_by_a_backward_starts_as_without_them(program, passed):
    seen, others, counts = [], [], []
    with Hold() as held, Hold() as inner:
        visit = engine.visit(held, visitor(seen, "one"))
        visit.passed = lambda: counts.append("passed")
        assert program() == [2, 2]
        assert (seen, len(counts)) == ([], passed)
        engine.visit(inner, visitor(others, "another"))
        program()
        assert len(seen) == len(others)
        assert len(counts) == passed
        inner.release()
        visit.passed = None
        assert backward() == [2, 2]
        assert seen[-1:] == ["one"]


def test_what_was_put_before_the_door_meanwhile_stays_and_is_called_once():
    seen = []

    def theirs(*args, **kwargs):
        seen.append("theirs")
        return before(*args, **kwargs)

    with Hold() as outer:
        engine.visit(outer, visitor(seen, "outer"))
        before = torch.autograd._engine_run_backward
        torch.autograd._engine_run_backward = theirs
        with Hold() as inner:
            engine.visit(inner, visitor(seen, "inner"))
            backward()
        assert torch.autograd._engine_run_backward is theirs
    assert torch.autograd._engine_run_backward is theirs
    backward()
    with Hold() as later:
        engine.visit(later, visitor(seen, "later"))
        backward()
    assert seen == ["theirs", "inner", "outer", "theirs", "later", "theirs"]
    assert torch.autograd._engine_run_backward is theirs
    torch.autograd._engine_run_backward = NATIVE


def test_an_interrupt_at_any_bytecode_leaves_nothing():
    def block():
        with Hold() as held:
            engine.visit(held, visitor([], "one"))
            engine.mark(held, "mark")

    for moment in interrupts.each_moment(block):
        assert torch.autograd._engine_run_backward is NATIVE, moment
        assert not engine.has_mark("mark"), moment
    assert backward() == [2, 2]


def test_marks_are_told_apart_and_leave_in_any_order():
    holds, marks = [Hold(), Hold()], [object(), object()]
    for hold, mark in zip(holds, marks, strict=True):
        engine.mark(hold, mark)
    holds[0].release()
    assert [engine.has_mark(mark) for mark in marks] == [False, True]
    holds[1].release()
    assert [engine.has_mark(mark) for mark in marks] == [False, False]
