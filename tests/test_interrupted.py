"""``capture``, ``trace`` and ``watch``, interrupted at every moment: nothing is left, and nothing is replaced."""

from __future__ import annotations

import interrupts
import leftovers
import pytest
import torch
from torch import nn

import autograd_lab as lab
from autograd_lab._torch import hooks
from autograd_lab.backward.forward import noting
from autograd_lab.hold import Hold


class Case:
    """A small step with a hook of each kind."""

    def __init__(self):
        torch.manual_seed(0)
        self.calls = []
        self.model = nn.Linear(2, 1)
        self.model.weight.register_post_accumulate_grad_hook(lambda leaf: self.calls.append("accumulated"))
        self.after = dict(self.model.weight._post_accumulate_grad_hooks)
        self.model.bias.register_hook(lambda grad: self.calls.append("tensor"))
        self.loss = self.forward()
        self.before = [leftovers.on_node(node) for node in self.nodes()]

    def forward(self):
        loss = torch.tanh(self.model(torch.ones(1, 2))).sum()
        tanh = loss.grad_fn.next_functions[0][0]
        tanh.register_prehook(lambda grads: self.calls.append("pre"))
        tanh.register_hook(lambda *_: self.calls.append("post"))
        return loss

    def nodes(self):
        waiting, found = [self.loss.grad_fn], []
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.append(node)
                waiting += [edge[0] for edge in node.next_functions if edge[0] is not None]
        return found

    def check(self, everywhere, moment):
        assert leftovers.everywhere() == everywhere, moment
        nodes = self.nodes()
        now = [leftovers.on_node(node) for node in nodes]
        assert [list(map(len, each)) for each in now] == [list(map(len, each)) for each in self.before], (
            moment
        )
        assert not any(hooks._probe in each.values() for pair in now for each in pair), moment
        assert dict(self.model.weight._post_accumulate_grad_hooks) == self.after, moment

    def backward(self, loss):
        """What the user's own backward gives now."""
        self.calls.clear()
        self.model.zero_grad()
        loss.backward()
        return self.model.weight.grad.tolist(), self.model.bias.grad.tolist(), self.calls


def capture(case):
    lab.capture(case.loss, model=case.model)


def trace(case):
    lab.trace(case.loss, model=case.model, retain_graph=True)


def trace_with_everything(case):
    lab.trace(case.loss, model=case.model, retain_graph=True, stats="full", keep="all", kernels=True)


def watch(case):
    with lab.watch(case.model, stats=None, forward=None) as watcher:
        case.loss = case.forward()
        watcher.capture(case.loss)
        case.loss.backward(retain_graph=True)


def watch_twice(case):
    with lab.watch(limit=0) as first, lab.watch(limit=1):
        case.loss.backward(retain_graph=True)
        first.limit = 3
        case.loss.backward(retain_graph=True)


def note(case):
    with Hold() as held:
        noting(held, case.model)
        case.loss = case.forward()


CALLS = {each.__name__: each for each in (capture, trace, trace_with_everything, watch, watch_twice, note)}


ACQUIRE_NOTHING = ("/capture/", "/records/", "/backward/stats.py")


def interrupt_each(call, step, offset=0):
    """Interrupts a call before each ``step``-th bytecode; see ``first_moments``."""
    case, everywhere = Case(), leftovers.everywhere()
    call(case)  # what is imported and cached at first isn't interrupted
    right = case.backward(case.forward())
    case = Case()
    moments = interrupts.first_moments(lambda: call(case), without=ACQUIRE_NOTHING)[offset::step]
    for moment in moments:
        case = Case()
        interrupts.interrupted(moment, lambda case=case: call(case))
        case.check(everywhere, moment)
        assert case.backward(case.forward()) == right, moment
        assert leftovers.everywhere() == everywhere, moment
    return len(moments)


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_leaves_nothing(call):
    assert interrupt_each(CALLS[call], step=397) > 1


@pytest.mark.sweep
@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_at_many_bytecodes_leaves_nothing(call, figure):
    moments = interrupt_each(CALLS[call], step=29, offset=7)
    figure(f"{call}: interrupted before {moments:,} bytecodes, nothing left")
