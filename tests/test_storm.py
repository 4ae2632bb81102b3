"""Interrupts at random moments, by a real signal, in every public call: nothing stays, and none is replaced.

``interrupts.py`` reaches every bytecode of the lab's own; here an interrupt comes whenever the clock says, also inside
torch, Graphviz and the interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import io
import random
import signal
import sys
import time
from collections import Counter

import interrupts
import leftovers
import pytest
import torch
from torch.utils.checkpoint import checkpoint

import autograd_lab as lab

QUICK, LONG = 5, 440
"""How many interrupts each call gets in the default run, and in the sweep."""

SLOW = {"verify": 100, "trace_with_kernels": 200}
"""Calls that take long: their number in the sweep. All together get more than 5,000."""


class World:
    """A small program with hooks of every kind, made anew for each interrupt."""

    def __init__(self):
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
        self.x = torch.ones(2, 3)
        self.weight = self.model[0].weight
        self.seen = Counter()
        self.weight.register_post_accumulate_grad_hook(lambda _: self.seen.update(["leaf"]))
        self.loss = self.forward()

    def forward(self):
        hidden = self.model[:2](self.x)
        hidden.register_hook(lambda _: self.seen.update(["tensor"]))
        hidden.grad_fn.register_hook(lambda *_: self.seen.update(["node"]))
        hidden.grad_fn.register_prehook(lambda _: self.seen.update(["pre"]))
        return self.model[2](hidden).square().mean()

    def nodes(self):
        found, todo = {}, [self.loss.grad_fn]
        while todo:
            node = todo.pop()
            if node is not None and node not in found:
                found[node] = True
                todo += [next_ for next_, _ in node.next_functions]
        return list(found)

    def gradients(self):
        """Runs the user's own backward, and returns what came of it: gradients, and how often each hook was called."""
        self.model.zero_grad()
        self.seen.clear()
        self.forward().backward()
        return [each.grad.clone() for each in self.model.parameters()], dict(self.seen)


def capture(world, _):
    lab.capture(world.loss, model=world.model)


def trace(world, _):
    lab.trace(world.loss, model=world.model, stats="full")


def trace_with_kernels(world, _):
    lab.trace(world.loss, kernels=True, keep="all")


def watch(world, _):
    with lab.watch(world.model, forward="stats"):
        world.forward().backward()


def watch_live(world, _):
    with contextlib.redirect_stderr(io.StringIO()), lab.watch(world.model, live=True):
        world.forward().backward()


def engine(world, _):
    lab.Engine(world.loss, model=world.model).run()


def replay(world, _):
    lab.replay(world.loss)


def check(world, _):
    lab.check_engine(world.loss)


def swap(world, _):
    with lab.swap("mul", "linear", "tanh"):
        world.forward().backward()


def swap_alone(_, __):
    with lab.swap("mul"):
        pass


def swap_checkpoint(world, _):
    with lab.swap("mul", "linear", "tanh"):
        checkpoint(world.model, world.x, use_reentrant=False).sum().backward()


def render(world, folder):
    lab.render(world.loss, folder / "graph.svg")


def save(world, folder):
    lab.save(lab.capture(world.loss), folder / "graph.json")


def verify(_, __):
    lab.verify("mul")


CALLS = [
    capture,
    trace,
    trace_with_kernels,
    watch,
    watch_live,
    engine,
    replay,
    check,
    swap,
    swap_alone,
    swap_checkpoint,
    render,
    save,
    verify,
]


class Storm:
    """Interrupts a call at random moments and looks around after each."""

    def __init__(self, call, folder):
        self.call = call
        self.folder = folder
        self.random = random.Random(0)
        self.counts = Counter()
        call(World(), folder)  # imports and caches
        began = time.perf_counter()
        call(World(), folder)
        self.seconds = time.perf_counter() - began
        self.right = World().gradients()
        self.process = leftovers.everywhere()
        self.files = sorted(folder.iterdir())

    def one(self):
        world = World()
        outcome = self.interrupted(world)
        self.counts[outcome] += 1
        self.look_around(world)

    def interrupted(self, world):
        def interrupt(_signal, _frame):
            raise interrupts.Interrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, self.random.uniform(0, 1.2 * self.seconds)))
            self.call(world, self.folder)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except interrupts.Interrupt:
            return "interrupted"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return "came too late"

    def look_around(self, world):
        # An interrupt may keep torch's own generator from putting a mode back until it's collected, after the block
        # around it. Such a mode goes by itself at the next call: see Note [A mode that goes by itself].
        _ = torch.ones(1) + 1
        self.counts["left by torch"] += leftovers.take_off_checkpoint_hooks()
        assert leftovers.everywhere() == self.process
        assert not leftovers.kernels()
        assert not leftovers.own_hooks(world.nodes())
        assert set(self.folder.iterdir()) <= set(self.files)
        gradients, seen = world.gradients()
        assert seen == self.right[1]
        for grad, right in zip(gradients, self.right[0], strict=True):
            assert torch.equal(grad, right)


@contextlib.contextmanager
def unraisable():
    """Interrupts that Python itself swallows, in a finaliser or a collection: noted, since nobody can help it."""
    swallowed, before = [], sys.unraisablehook
    sys.unraisablehook = lambda what: swallowed.append(what.exc_type)
    try:
        yield swallowed
    finally:
        sys.unraisablehook = before


def storm(call, folder, interrupts_wanted):
    with unraisable() as swallowed:
        weather = Storm(call, folder)
        tries = 0
        while weather.counts["interrupted"] < interrupts_wanted and tries < 50 + 40 * interrupts_wanted:
            weather.one()
            tries += 1
    gc.collect()
    # A file whose block an interrupt kept from beginning is closed by Python at once, with a ResourceWarning.
    assert set(swallowed) <= {interrupts.Interrupt, ResourceWarning}
    assert weather.counts["interrupted"] >= interrupts_wanted
    return weather.counts, len(swallowed)


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_leaves_nothing(call, tmp_path):
    storm(call, tmp_path, QUICK)


@pytest.mark.sweep
@pytest.mark.parametrize("call", CALLS)
def test_a_storm_of_interrupts_leaves_nothing(call, tmp_path, figure):
    counts, swallowed = storm(call, tmp_path, SLOW.get(call.__name__, LONG))
    torchs = counts["left by torch"]
    assert not torchs or call is swap_checkpoint
    figure(
        f"interrupts in {call.__name__}: {counts['interrupted']}, 0 left anything, 0 replaced "
        f"({swallowed} swallowed by Python, {torchs} left hooks of torch's own checkpoint)"
    )
