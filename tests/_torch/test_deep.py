"""Deep graphs stay deletable after a walk, and nothing in them lives longer than it would have.

A thread with half a megabyte of stack overflows it at 3,000 nodes that were looked at, the main thread at 50,000.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from models import CASES, leaves, live_nodes

import autograd_lab as lab
from autograd_lab._torch import deep

SCRIPT = Path(__file__).parents[1] / "support" / "deep_graphs.py"


def run(*arguments):
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])},
    )
    print(ran.stdout)
    assert ran.returncode == 0, f"died after {ran.stdout!r}: {ran.stderr}"
    assert ran.stdout.endswith("alive\n")
    return ran.stdout


SMALL_STACK = 512 if deep.PUTS_OFF_EARLY else deep.STACK >> 10
"""KiB: the smallest in which a deep graph is looked at. See Note [When Python puts off a deletion]."""


def test_python_puts_off_deletions_as_its_source_says():
    """``Py_TRASHCAN_BEGIN`` in ``Include/cpython/object.h``, ``_Py_Dealloc`` in ``Objects/object.c``."""
    before_3_13 = sys.version_info < (3, 13)
    assert before_3_13 == deep.PUTS_OFF_EARLY


def test_graphs_of_every_shape_on_a_small_stack():
    run(3_000, SMALL_STACK)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no timer there that interrupts")
def test_a_chain_whose_capture_was_interrupted():
    assert int(re.findall(r"interrupted (\d) times", run(20_000, 0, "interrupted"))[-1]) >= 1


@pytest.fixture
def puts_off_late(monkeypatch):
    monkeypatch.setattr(deep, "PUTS_OFF_EARLY", False)
    monkeypatch.setattr(deep, "DEEP", 12)


@pytest.mark.parametrize("size", [0, deep.STACK])
def test_with_enough_stack_graphs_of_any_size_are_looked_at(puts_off_late, monkeypatch, size):
    monkeypatch.setattr(deep.threading, "stack_size", lambda: size)
    assert deep.most_nodes() is None


def test_with_too_little_stack_a_big_graph_is_refused_in_one_line(puts_off_late, monkeypatch):
    monkeypatch.setattr(deep.threading, "stack_size", lambda: deep.STACK - 1)
    (x,) = leaves(1, 2)
    y = x
    for _ in range(11):
        y = y * 1.0
    assert len(lab.capture(y)) == 12
    loss = (y * 1.0).sum()
    with pytest.raises(lab.errors.GraphError, match=r"^a graph of more than 12 nodes .* Python") as caught:
        lab.capture(loss)
    assert "\n" not in str(caught.value)
    loss.backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_chain_on_the_main_thread():
    run(40_000, 0, "chain")


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["residual", "stacked", "losses_summed", "anything"])
def test_deep_graphs_on_the_main_thread(shape):
    run(100_000, 0, shape)


@pytest.mark.sweep
def test_a_million_operations_in_time_linear_in_their_number():
    """The time for each node may vary by half with how a machine's memory is; were it quadratic it'd be tenfold."""
    times = [
        min(map(float, re.findall(r"([\d.]+) us each", run(levels, 0, "chain"))))
        for levels in (100_000, 1_000_000)
    ]
    print(f"{times[0]} and {times[1]} us for each node")
    assert times[1] < 3 * times[0]


# --- in this process, with small limits -------------------------------------------------------------------


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(deep, "DEEP", 12)
    monkeypatch.setattr(deep, "STRIDE", 3)


class Note:
    """Something that a weak reference can watch."""


class Holds(torch.autograd.Function):
    """Its context holds a note and, where it's told to, its own result: a circle that only a collection breaks."""

    @staticmethod
    def forward(ctx, x, note):
        ctx.note = note
        return x * 1.0

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def grown(plan, look):
    """Builds a graph with a note on each node, looks at it, lets tensors go one by one, and says what was alive."""
    made, notes = [torch.ones(1, requires_grad=True)], []
    for several, circle in plan:
        note = Note()
        notes.append(weakref.ref(note))
        joined = torch.stack([made[-1 - i % len(made)] for i in several]).sum(0)
        made.append(Holds.apply(joined, note))
        if circle:
            made[-1].grad_fn.mine = made[-1]
    del note, joined
    look(made[-1])
    history = []

    def alive():
        history.append([reference() is not None for reference in notes])

    for index in sorted(range(len(made)), key=lambda index: (index * 7919) % 101):
        made[index] = None
        alive()
    gc.collect()
    alive()
    return history


plans = st.lists(
    st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.booleans()), min_size=1, max_size=25
)


@pytest.fixture
def quick_collections():
    """Collections pass over whatever is there already."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@given(plan=plans)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_lives_longer_than_without_a_capture(quick_collections, plan):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(deep, "DEEP", 12)
        monkeypatch.setattr(deep, "STRIDE", 3)
        assert grown(plan, lab.capture) == grown(plan, lambda loss: None)


def test_a_long_chain_lets_go_of_what_is_above_the_middle_at_once():
    """With the real limits: notes above a tensor that is kept die with the root, those below it with the tensor."""
    y, notes, kept = torch.ones(1, requires_grad=True), [], None
    for index in range(6000):
        if index % 500:
            y = y * 1.0
        else:
            note = Note()
            notes.append(weakref.ref(note))
            y = Holds.apply(y, note)
        kept = y if index == 3000 else kept
    del note
    lab.capture(y)
    assert any(node.metadata for node in live_nodes(y))
    gc.disable()
    try:
        del y
        assert [note() is not None for note in notes] == [i <= 3000 for i in range(0, 6000, 500)]
        del kept
        assert [note() for note in notes] == [None] * 12
    finally:
        gc.enable()


def bare_runs(outputs):
    """The longest run of nodes without an entry on any path, by an own computation."""
    nodes = live_nodes(outputs)
    found, longest, waiting = 0, {}, list(nodes)
    while waiting:
        node = waiting[-1]
        children = [target for target, _ in node.next_functions if target is not None]
        missing = [child for child in children if child not in longest]
        if missing and node not in longest:
            waiting.extend(missing)
            continue
        waiting.pop()
        below = max((longest[child] for child in children), default=0)
        longest[node] = 0 if deep.KEY in node.metadata else below + 1
        found = max(found, longest[node])
    return found


@given(plans.filter(lambda plan: len(plan) > 4))
@settings(max_examples=40)
def test_no_path_has_a_long_run_of_nodes_without_an_entry(plan):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(deep, "DEEP", 1)
        monkeypatch.setattr(deep, "STRIDE", 3)
        made = [torch.ones(1, requires_grad=True)]
        for several, _ in plan:
            made.append(torch.stack([made[-1 - i % len(made)] for i in several]).sum(0))
        lab.capture(made[-1])
        assert bare_runs(made[-1]) < 3


def test_an_entry_is_a_nodes_own_children(small_limits):
    (x,) = leaves(1, 2)
    for _ in range(20):
        x = x * x
    lab.capture(x)
    held = [node for node in live_nodes(x) if node.metadata]
    assert held
    for node in held:
        assert node.metadata == {deep.KEY: tuple(target for target, _ in node.next_functions)}


def test_entries_are_no_part_of_the_record(small_limits):
    (x,) = leaves(1, 2)
    y = x
    for _ in range(20):
        y = y * 1.0
    first, second = lab.capture(y), lab.capture(y)
    assert first == second
    assert {node.metadata for node in first.nodes} == {()}


def test_a_wide_graph_is_left_alone():
    """Of many nodes, but few levels."""
    (x,) = leaves(1, 2)
    loss = torch.stack([x * 1.0 + 2.0 for _ in range(2 * deep.DEEP)]).sum()
    lab.capture(loss)
    assert [node.metadata for node in live_nodes(loss) if node.metadata] == []


@pytest.mark.parametrize("name", ["transformer_stack", "gru", "gpt2_sdpa"])
def test_a_graph_of_ordinary_depth_is_left_alone(name):
    built = CASES[name].build()
    lab.capture(built.outputs, model=built.model)
    assert [node.metadata for node in live_nodes(built.outputs) if node.metadata] == []


def test_levels_are_the_longest_path():
    assert deep._levels([[(1, 0), (2, 0)], [(2, 0)], [None]], [0, 1, 2]) == 3
    assert deep._levels([[], []], [0, 1]) == 1
