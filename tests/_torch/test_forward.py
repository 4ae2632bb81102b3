"""The stack of function modes: where the lab's mode goes in and comes out, and that all others stay as they were."""

from __future__ import annotations

import sys
import threading

import interrupts
import pytest
import torch
from torch.overrides import TorchFunctionMode

from autograd_lab._torch import forward


class Mode(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        return func(*args, **(kwargs or {}))


def stack():
    return [torch._C._get_function_stack_at(i) for i in range(torch._C._len_torch_function_stack())]


@pytest.fixture(autouse=True)
def _empty():
    assert stack() == []
    yield
    left = stack()
    for _ in left:
        torch._C._pop_torch_function_stack()
    assert left == []


def listening():
    mode = forward.CallWatch(lambda *_: None)
    mode.listens = True
    return mode


def test_it_goes_below_every_other_mode():
    mine, theirs = listening(), Mode()
    with torch.device("cpu"), theirs:
        others = stack()
        for _ in range(2):
            forward.put_in(mine)
            assert stack() == [mine, *others]
        assert forward.take_out(mine)
        assert not forward.take_out(mine)
        assert stack() == others


def test_only_the_default_device_is_lower_as_torch_wants_it():
    mine = listening()
    try:
        torch.set_default_device("cpu")
        (default,) = stack()
        forward.put_in(mine)
        assert stack() == [default, mine]
        torch.set_default_device("meta")
        assert stack()[1:] == [mine]
        assert torch.ones(1).is_meta
    finally:
        torch.set_default_device(None)
    assert stack() == [mine]
    forward.take_out(mine)


@pytest.mark.parametrize("make", [Mode, lambda: torch.device("cpu")])
def test_blocks_may_end_in_any_order(make):
    mine, first, second = listening(), make(), make()
    first.__enter__()
    forward.put_in(mine)
    second.__enter__()
    for theirs in (second, first):
        theirs.__exit__(None, None, None)
    assert stack() == [mine]
    assert torch.ones(1).device.type == "cpu"
    forward.take_out(mine)


def test_an_interrupt_at_any_bytecode_loses_no_mode_of_the_users():
    mine, theirs = listening(), [Mode(), Mode()]

    def call():
        forward.put_in(mine)
        forward.take_out(mine)

    with theirs[0], theirs[1]:
        for moment in interrupts.each_moment(call):
            assert [mode for mode in stack() if mode is not mine] == theirs, moment
            forward.take_out(mine)


def test_a_mode_that_listens_no_longer_goes_by_itself():
    mine, theirs, x = listening(), Mode(), torch.ones(2, requires_grad=True)
    for call in (
        lambda: x + 1,
        lambda: torch.nn.functional.relu(x),
        lambda: x.sum().backward(),
        lambda: torch.autograd.grad(x.sum(), x),
    ):
        with theirs:
            forward.put_in(mine)
            mine.listens = False
            call()
            assert stack() == [theirs]
        assert sys.getprofile() is None
        mine.listens = True


def test_it_leaves_who_profiles_alone_and_goes_later():
    mine, x = listening(), torch.ones(2)
    forward.put_in(mine)
    mine.listens = False
    events = []
    profile = lambda *event: events.append(event)  # noqa: E731 - it must be this very object
    sys.setprofile(profile)
    try:
        x + 1
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)
    assert stack() == [mine]
    x + 1
    assert stack() == []


def test_a_mode_that_listens_again_stays():
    mine, x = listening(), torch.ones(2)
    forward.put_in(mine)
    x + 1
    assert stack() == [mine]
    forward.take_out(mine)


def test_whether_it_is_asked_about_a_running_call():
    mine, other = listening(), listening()
    seen = []

    class Asks(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append((forward.is_asked(mine), forward.is_asked(other)))
            return torch.ones(1)

    forward.put_in(mine)
    torch.ones(1).as_subclass(Asks) + 1
    thread = threading.Thread(target=lambda: seen.append((forward.is_asked(mine), False)))
    thread.start()
    thread.join()
    forward.take_out(mine)
    assert set(seen[:-1]) == {(True, False)}
    assert seen[-1] == (False, False)
