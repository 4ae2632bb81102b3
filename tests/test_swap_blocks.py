"""Blocks that end in any order, in any thread, or by an interrupt: nothing is left, and each sees its own rules."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import importlib
import itertools
import sys
import threading

import interrupts
import pytest
import tallies
import torch
from torch.autograd.function import BackwardCFunction
from torch.utils.checkpoint import _CheckpointFrame, checkpoint

import autograd_lab as lab
from autograd_lab._torch import changes, dispatch
from autograd_lab.functions import in_own_code

X = torch.tensor([1.5, -2.0, 3.0], requires_grad=True)
NAMES = ("mul", "sub")
TABLES = ("mul.Tensor", "mul.Scalar", "mul_.Tensor", "mul_.Scalar", "sub.Tensor", "sub.Scalar", "sub_.Tensor")


def tables():
    return [torch._C._dispatch_dump_table(f"aten::{name}") for name in TABLES]


NATIVE = tables()


def rules_here():
    """Which of the two rules make the nodes here."""
    nodes = {"mul": X * X, "sub": X - X}
    return {name for name, made in nodes.items() if not made.grad_fn.name().endswith("0")}


def assert_nothing_is_left(what=None):
    assert tables() == NATIVE, what
    assert rules_here() == set(), what
    assert not changes._NEEDED, what
    assert not changes._MADE, what
    assert "__init__" not in vars(BackwardCFunction), what
    assert "recompute_fn" not in vars(_CheckpointFrame), what
    assert not in_own_code(), what
    assert not importlib.import_module("autograd_lab.swap")._HERE.get(), what
    assert another_thread_can_lock(), what


def another_thread_can_lock():
    taken = []

    def take():
        taken.append(changes._LOCK.acquire(timeout=1))
        if taken[0]:
            changes._LOCK.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return taken[0]


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert_nothing_is_left()


def test_two_tasks_that_take_turns():
    seen = []

    async def task(name, begin, middle, end):
        await begin.wait()
        assert rules_here() == set()
        with lab.swap(name):
            seen.append((name, rules_here()))
            middle.set()
            await end.wait()
            seen.append((name, rules_here()))
        seen.append((name, rules_here()))

    async def both():
        first, second, third = asyncio.Event(), asyncio.Event(), asyncio.Event()
        first.set()

        async def ended():
            await one
            third.set()

        one = asyncio.create_task(task("mul", first, second, second))
        other = asyncio.create_task(task("sub", second, asyncio.Event(), third))
        await asyncio.gather(one, other, ended())
        assert rules_here() == set()

    asyncio.run(both())
    assert sorted(seen, key=str) == sorted([(n, r) for n in NAMES for r in ({n}, {n}, set())], key=str)


def test_a_task_that_outlives_the_block_it_was_made_in():
    async def task(go):
        inside = rules_here()
        await go.wait()
        return inside, rules_here()

    async def main():
        go = asyncio.Event()
        with lab.swap("mul"):
            made = asyncio.create_task(task(go))
            await asyncio.sleep(0)
        go.set()
        return await made

    assert asyncio.run(main()) == ({"mul"}, set())


def test_generators_that_end_in_the_order_of_their_beginning():
    def block(name):
        with lab.swap(name):
            yield

    one, other = block("mul"), block("sub")
    next(one)
    next(other)
    assert rules_here() == {"mul", "sub"}
    one.close()
    assert rules_here() == {"sub"}
    other.close()
    assert rules_here() == set()


def test_a_generator_that_is_let_go():
    def block():
        with lab.swap("mul"):
            yield

    made = block()
    next(made)
    del made
    gc.collect()
    assert rules_here() == set()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 0, 1)])
def test_exits_in_any_order(order):
    blocks = [lab.swap("mul"), lab.swap("sub"), lab.swap("mul")]
    for block in blocks:
        block.__enter__()
    on = list(range(3))
    for place in order:
        assert blocks[place].__exit__(None, None, None) is None
        on.remove(place)
        assert rules_here() == {("mul", "sub", "mul")[each] for each in on}


def test_one_object_in_two_contexts():
    """Each exit ends the block of its own context."""
    swapped = lab.swap("mul")
    here, there = contextvars.copy_context(), contextvars.copy_context()
    here.run(swapped.__enter__)
    there.run(swapped.__enter__)
    here.run(swapped.__exit__, None, None, None)
    assert (here.run(rules_here), there.run(rules_here)) == (set(), {"mul"})
    there.run(swapped.__exit__, None, None, None)
    assert there.run(rules_here) == set()


def test_an_exit_stack():
    with contextlib.ExitStack() as stack:
        for name in NAMES:
            stack.enter_context(lab.swap(name))
        assert rules_here() == {"mul", "sub"}
        kept = stack.pop_all()
    assert rules_here() == {"mul", "sub"}
    kept.close()
    assert rules_here() == set()


def test_an_exit_in_another_thread():
    swapped = lab.swap("mul")
    swapped.__enter__()
    thread = threading.Thread(target=swapped.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with lab.swap("sub"):
        assert rules_here() == {"sub"}


def test_another_threads_block_is_not_seen_here():
    inside, go = threading.Event(), threading.Event()

    def other():
        with lab.swap("mul"):
            inside.set()
            go.wait(10)

    swapped = lab.swap("sub")
    swapped.__enter__()
    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    swapped.__exit__(None, None, None)
    assert rules_here() == set()
    go.set()
    thread.join()


def step():
    """A forward, a recomputation and a backward, and what happens in them."""
    with lab.swap(*NAMES):
        loss = checkpoint(lambda x: (x * x - x).mul_(x), X, use_reentrant=False).sum()
    torch.autograd.grad(loss, X)


def bare():
    with lab.swap(*NAMES):
        pass


def inside():
    with lab.swap(*NAMES) as swapped, lab.swap("mul"), swapped:
        torch.autograd.grad((X * X - X).sum(), X)


@pytest.mark.parametrize(
    ("call", "every"),
    [
        (bare, 13),
        (inside, 71),
        (step, 83),
        *(pytest.param(call, 1, marks=pytest.mark.sweep) for call in (bare, inside, step)),
    ],
)
def test_an_interrupt_at_any_bytecode_leaves_nothing(call, every):
    count = 0
    for moment in interrupts.each_moment(call, step=every):
        assert_nothing_is_left(moment)
        count += 1
    assert count > 50
    tallies.note("interrupts inside a swap that left nothing: {}", count)
    with lab.swap("mul"):
        assert rules_here() == {"mul"}


def test_an_interrupt_inside_an_open_block_leaves_that_block_as_it_is():
    with lab.swap("sub") as outer:
        for moment in interrupts.each_moment(bare, step=23):
            assert rules_here() == {"sub"}, moment
    assert not outer.left


def test_thousands_of_swaps_leave_nothing_in_memory(monkeypatch):
    """Also while another thread is about, where what was registered is kept for some seconds."""
    clock = itertools.count(dispatch.time.monotonic(), 0.1)
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: next(clock))
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    swapped = lab.swap("mul")
    try:
        sizes = []
        for _ in range(4):
            for _ in range(250):
                with swapped:
                    X * X
            gc.collect()
            sizes.append(sys.getallocatedblocks())
    finally:
        stop.set()
        thread.join()
    assert len(dispatch._UNDER_WAY) < 100
    assert sizes[-1] - sizes[1] < 200, sizes
