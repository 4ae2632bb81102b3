"""What happened to a leaf's ``.grad``, whatever the user's hooks do with it afterwards."""

from __future__ import annotations

import threading

import torch

from autograd_lab import capture
from autograd_lab.backward import trace


def hooks(leaf):
    return list(leaf._post_accumulate_grad_hooks.items())


def accumulation(leaf, loss, **options):
    return trace(loss, names={"w": leaf}, **options).steps[-1].accumulation


def test_an_optimizer_that_steps_in_the_backward_takes_nothing_from_the_record():
    """As PyTorch's tutorial on fusing the optimizer's step into the backward has it."""
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)

    def step(leaf):
        optimizer.step()
        optimizer.zero_grad()

    w.register_post_accumulate_grad_hook(step)
    before = hooks(w)
    found = accumulation(w, (w * torch.tensor([1.0, 2.0, 3.0])).sum())
    assert (found.how, found.before, found.after) == ("stole", None, None)
    assert w.tolist() == [0.5, 0.0, -0.5]
    assert hooks(w) == before
    assert accumulation(w, w.sum()).how == "copied"


def test_what_is_there_after_the_hooks_is_what_they_left():
    w = torch.ones(2, requires_grad=True)

    def change(leaf):
        leaf.grad.data.mul_(10)  # .data doesn't raise the version

    w.register_post_accumulate_grad_hook(change)
    found = accumulation(w, (w * 3).sum(), stats="full")
    assert (found.how, found.after.mean) == ("stole", 30.0)
    found = accumulation(w, (w * 3).sum(), stats="full")
    assert (found.how, found.before.mean, found.after.mean) == ("added", 30.0, 330.0)


def test_hooks_fire_once_in_their_order_and_may_take_themselves_away():
    w = torch.ones(2, requires_grad=True)
    fired = []

    def first(leaf):
        fired.append("first")
        handle.remove()

    handle = w.register_post_accumulate_grad_hook(first)
    w.register_post_accumulate_grad_hook(lambda leaf: fired.append("second"))
    assert accumulation(w, (w * 3).sum()).how == "stole"
    assert fired == ["first", "second"]
    assert len(hooks(w)) == 1
    accumulation(w, (w * 3).sum())
    assert fired == ["first", "second", "second"]


def test_a_hook_that_raises_is_still_there_and_so_is_the_record():
    w = torch.ones(2, requires_grad=True)

    def raises(leaf):
        raise KeyError("mine")

    w.register_post_accumulate_grad_hook(raises)
    before = hooks(w)
    try:
        accumulation(w, (w * 3).sum())
    except KeyError as error:
        steps = error.autograd_lab_trace.steps
        assert (len(steps), steps[-1].duration_ns) == (3, None)
    else:
        raise AssertionError("the hook's exception is lost")
    assert hooks(w) == before
    assert w.grad.tolist() == [3.0, 3.0]


def test_a_hook_is_called_by_its_name_while_a_trace_is_on():
    w = torch.ones(2, requires_grad=True)
    seen = []

    def mine(leaf):
        seen.extend(capture(leaf).leaves[0].hooks)

    w.register_post_accumulate_grad_hook(mine)
    accumulation(w, (w * 3).sum())
    assert [hook.name for hook in seen] == [mine.__qualname__]


def test_one_leaf_in_two_traces_at_once():
    """One inside the other, and two that overlap without being inside one another."""
    w = torch.ones(2, requires_grad=True)
    inner, reached, goes_on = [], threading.Event(), threading.Event()

    def again(leaf):
        if threading.current_thread() is threading.main_thread():
            if not inner:
                inner.append(None)
                inner[0] = accumulation(w, inner_loss)
        else:
            reached.set()
            goes_on.wait(10)

    inner_loss, loss, other = (w * 5).sum(), (w * 3).sum(), (w * 7).sum()
    w.register_post_accumulate_grad_hook(again)
    before = hooks(w)
    thread = threading.Thread(target=accumulation, args=(w, other))
    thread.start()
    assert reached.wait(10)
    outer = accumulation(w, loss)
    goes_on.set()
    thread.join()
    assert (outer.how, inner[0].how) == ("added", "added")
    assert hooks(w) == before
    assert w.grad.tolist() == [15.0, 15.0]
