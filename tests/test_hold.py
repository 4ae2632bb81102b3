"""Acquiring and releasing, interrupted at every bytecode."""

from __future__ import annotations

import contextlib
import gc
import weakref

import interrupts
import pytest

from autograd_lab.hold import Hold


class Things:
    """Three things that can be acquired; each undo is idempotent."""

    def __init__(self):
        self.held = set()

    def acquire(self, held, name):
        held.add(lambda: self.held.discard(name))
        self.held.add(name)


class Block(Hold):
    """A block that acquires in its ``__enter__``, as those of the lab do."""

    def __init__(self, things):
        super().__init__()
        self.things = things

    def __enter__(self):
        super().__enter__()
        for name in "abc":
            self.things.acquire(self, name)
        return self


def in_a_block(things):
    with Block(things):
        assert things.held == {"a", "b", "c"}


def nested(things):
    with Block(things), Hold() as held:
        things.acquire(held, "d")


def in_a_function(things):
    with Hold() as held:
        for name in "abc":
            things.acquire(held, name)


def in_a_generator(things):
    def blocks():
        with Block(things):
            yield 1
            yield 2

    for _ in blocks():
        pass


CALLS = [in_a_block, nested, in_a_function, in_a_generator]


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_at_any_bytecode_leaves_nothing(call):
    things = Things()
    for moment in interrupts.each_moment(lambda: call(things)):
        assert not things.held, moment
        things.held.clear()
    call(things)
    assert not things.held


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_in_the_callers_code_leaves_nothing(call):
    things = Things()
    for moment in interrupts.each_moment(lambda: call(things), within=__file__):
        assert not things.held, moment


def test_what_is_released_last_in_first_out():
    order = []
    with Hold() as held:
        for name in "abc":
            held.add(lambda name=name: order.append(name))
    assert order == ["c", "b", "a"]


def test_an_undo_that_fails_doesnt_keep_the_others_from_running():
    done = []

    def block():
        with Hold() as held:
            held.add(lambda: done.append(1))
            held.add(lambda: int("second"))
            held.add(lambda: int("first"))

    with pytest.raises(ValueError, match="first"):
        block()
    assert done == [1]


def test_an_exception_of_the_block_is_its_own():
    error = KeyError("mine")

    def block():
        with Hold() as held:
            held.add(lambda: None)
            raise error

    with pytest.raises(KeyError) as raised:
        block()
    assert raised.value is error
    assert error.__context__ is None


def test_looking_at_the_exit_inside_the_block_ends_nothing():
    things = Things()
    with Block(things) as block:
        assert callable(block.__exit__)
        assert hasattr(block, "__exit__")
        gc.collect()
        assert things.held
    assert not things.held


def test_in_an_exit_stack():
    things = Things()
    with contextlib.ExitStack() as stack:
        stack.enter_context(Block(things))
        assert things.held
    assert not things.held


def test_a_block_can_be_entered_again():
    things = Things()
    block = Block(things)
    for _ in range(2):
        with block:
            assert things.held
        assert not things.held


def test_nothing_keeps_a_block_alive():
    gc.disable()
    try:
        block = Block(Things())
        with block:
            pass
        gone = weakref.ref(block)
        del block
        assert gone() is None
    finally:
        gc.enable()
