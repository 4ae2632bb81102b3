"""Whose backward a trace is of, in which order its nodes ran, and what is left when it's over."""

from __future__ import annotations

import gc
import itertools
import threading

import pytest
import torch
from models import CASES, flat, shared
from torch import nn

import autograd_lab as lab
from autograd_lab.backward.stats import Meter
from autograd_lab.capture.graph import live


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if case.numbers and len(flat(shared(name).outputs)) == 1]
)
def test_the_order_is_the_native_engines_plan(name):
    """Torch tells its plan only to a pre-hook of the one root, and only where it uses no threads of its own."""
    (output,) = flat(CASES[name].build().outputs)
    _, nodes = live(output)
    plan = []
    nodes[0].register_prehook(lambda grads: plan.extend(torch._C._current_graph_task_execution_order()))
    with torch.autograd.set_multithreading_enabled(False):
        done = lab.trace(output, grad_tensors=torch.ones_like(output.detach()), stats=None)
    assert [nodes[step.node] for step in done.steps] == plan
    assert plan


def on_the_root(build):
    """The inner backward runs before the lab's hooks have seen anything of the outer one."""
    a = torch.tensor(2.0, requires_grad=True)
    loss = a * a * 3.0
    inside = []

    def hook(grad):
        if not inside:
            inside.append(None)
            build(loss, a)

    loss.register_hook(hook)
    return loss, a


def test_a_backward_in_a_hook_on_the_root_is_not_taken_for_the_traced_one():
    loss, a = on_the_root(lambda loss, a: torch.autograd.grad(loss, a, retain_graph=True))
    done = lab.trace(loss, names={"a": a})
    assert [done.graph.node(step.node).name for step in done.steps] == ["MulBackward0"] * 2 + [
        "AccumulateGrad"
    ]
    assert (a.grad, done.steps[-1].accumulation.how) == (12.0, "stole")


def test_a_trace_in_a_hook_of_a_trace():
    found = []
    loss, a = on_the_root(lambda loss, a: found.append(lab.trace(loss, inputs=[a], retain_graph=True)))
    outer = lab.trace(loss, names={"a": a})
    assert (len(outer.steps), len(found[0].steps)) == (3, 3)
    assert (outer.steps[-1].accumulation.how, found[0].steps[-1].accumulation.how) == ("added", "stole")


def test_a_watched_backward_says_in_whose_turn_it_began():
    loss, a = on_the_root(lambda loss, a: torch.autograd.grad(loss, a, retain_graph=True))
    with lab.watch(names={"a": a}) as watcher:
        loss.backward()
    outer, inner = watcher.traces
    assert (outer.within, inner.within) == (None, 0)
    b = a.exp()
    b.register_hook(lambda grad: torch.autograd.grad(other, a) and None)
    other = a.exp()
    with lab.watch(names={"a": a}) as watcher:
        b.sin().backward()
    outer, inner = watcher.traces
    assert outer.graph.node(inner.within).name == "ExpBackward0"


@pytest.mark.parametrize("watched", [False, True])
def test_two_threads_share_a_part_of_their_graphs(watched):
    """Each thread's hooks are on the other's nodes too. Many nodes: so that the threads take turns meanwhile."""
    shared_part = x = torch.randn(50, requires_grad=True)
    for _ in range(300):
        shared_part = shared_part.sin()
    losses = {factor: (shared_part * factor).sum() for factor in (2.0, 3.0)}
    plain = {
        factor: torch.autograd.grad(loss, x, retain_graph=True)[0].norm().item()
        for factor, loss in losses.items()
    }
    for _ in range(5):
        barrier, found = threading.Barrier(2), {}

        def run(factor, found=found, barrier=barrier):
            barrier.wait()
            if watched:
                torch.autograd.grad(losses[factor], x, retain_graph=True)
            else:
                found[factor] = lab.trace(losses[factor], inputs=[x], retain_graph=True)

        threads = [threading.Thread(target=run, args=(factor,)) for factor in losses]
        with lab.watch() as watcher:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        traces = list(watcher.traces if watched else found.values())
        assert len(traces) == 2
        for trace in traces:
            leaf = 0 if watched else 1  # torch.autograd.grad stops before the leaf
            assert len(trace.steps) == 302 + leaf
            assert trace.steps[1].grad_outputs[0].norm == pytest.approx(50**0.5)
        sent = sorted(trace.steps[301].grad_inputs[0].norm for trace in traces)
        assert sent == pytest.approx(sorted(plain.values()), rel=1e-5)


def test_what_cannot_be_looked_at_has_not_begun(monkeypatch):
    """As where there is no memory left for a measure: its exception is the one that the user gets."""
    w = torch.ones(2, requires_grad=True)
    w.register_post_accumulate_grad_hook(lambda leaf: None)
    before = list(w._post_accumulate_grad_hooks.values())
    measure, calls = Meter.measure, itertools.count()

    def fails(self, grad):
        # six come before the leaf's: the start, and what the two nodes before it were given and returned
        if next(calls) == 6:
            raise MemoryError("mine")
        return measure(self, grad)

    monkeypatch.setattr(Meter, "measure", fails)
    with pytest.raises(MemoryError, match="mine") as raised:
        lab.trace((w * 3).sum())
    steps = raised.value.autograd_lab_trace.steps
    assert [step.started_ns is None for step in steps] == [False, False, True]
    assert (steps[-1].duration_ns, steps[-1].accumulation) == (None, None)
    assert list(w._post_accumulate_grad_hooks.values()) == before
    assert str(raised.value.autograd_lab_trace)


def test_no_mark_is_left_on_the_thread():
    loss, _ = on_the_root(lambda loss, a: lab.trace(loss, inputs=[a], retain_graph=True))
    lab.trace(loss)
    assert not torch._C._is_key_in_tls("autograd_lab: whose backward this is")
    assert torch.autograd._engine_run_backward.__module__ == "torch.autograd.graph"


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_memory_returns_to_where_it_was_over_many_traced_steps():
    """A retained graph is traced again and again, and graphs that go; 64 KiB kept of each step would be 25 MiB."""
    model = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 1))
    x = torch.randn(8, 64)
    kept = model(x).square().mean()
    seen = []
    for step in range(500):
        lab.trace(model(x).square().mean(), model=model, stats="full", keep="all")
        if step % 10 == 0:
            lab.trace(kept, retain_graph=True)
        if step in (99, 499):
            gc.collect()
            seen.append((len(gc.get_objects()), resident()))
    (objects, memory), (objects_after, memory_after) = seen
    assert objects_after - objects < 300
    assert memory_after - memory < 8 * 2**20
