"""Backwards that run in a device's own thread, as a GPU's do: torch's device for backends in Python has one too.

Registering that device can't be undone, so it's done in a process of its own. Its kernels are the CPU's. Torch never
joins the device's thread: where that one still lets go of Python objects while the interpreter is taken down, C++
calls ``terminate``, with or without the lab. So these processes leave without taking it down.
"""

from __future__ import annotations

import subprocess
import sys

DEVICE = """
import threading
import torch
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
import autograd_lab as lab

_setup_privateuseone_for_python_backend("own")

class OnDevice(torch.Tensor):
    @staticmethod
    def __new__(cls, raw):
        made = torch._C._acc.create_empty_tensor(raw.shape, raw.dtype)
        made.__class__ = cls
        return made

    def __init__(self, raw):
        self.raw = raw

ran = []

def on_cpu(op, *args, **kwargs):
    ran.append(op.name())
    if op.name() == "aten::_copy_from":  # from the device to the CPU, or the other way
        source, target = args[:2]
        getattr(target, "raw", target).copy_(getattr(source, "raw", source))
        return target

    def down(x):
        return x.raw if isinstance(x, OnDevice) else torch.device("cpu") if isinstance(x, torch.device) else x

    made = op(*tree_map(down, args), **tree_map(down, kwargs))
    return tree_map(lambda x: OnDevice(x) if isinstance(x, torch.Tensor) else x, made)

library = torch.library.Library("_", "IMPL")
library.fallback(on_cpu, "PrivateUse1")
threads = set()

def leaf():
    return OnDevice(torch.randn(3)).requires_grad_()

def forward(x, length=1):
    y = x * 2
    for _ in range(length):
        y = y.sin()
    y.grad_fn.register_prehook(lambda grads: threads.add(threading.get_ident()))
    return y.sum()

def names(trace):
    return [trace.graph.nodes[step.node].name for step in trace.steps]
"""

LEAVE = """
import os, sys
sys.stdout.flush()
os._exit(0)
"""

EXPECTED = ["SumBackward0", "SinBackward0", "MulBackward0", "AccumulateGrad"]


def run(script):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DEVICE + script + LEAVE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_trace_sees_what_runs_there():
    lines = run("""
for _ in range(3):
    x = leaf()
    trace = lab.trace(forward(x), names={"x": x}, stats=None)
    print(names(trace), trace.steps[-1].accumulation.how, len({step.thread for step in trace.steps}))
print(len(threads), threading.get_ident() in threads)
print(torch._C._is_key_in_tls("autograd_lab: whose backward this is"))
""")
    assert lines == [f"{EXPECTED} stole 1"] * 3 + ["1 False", "False"]


def test_a_watch_sees_it_and_where_it_came_from():
    lines = run("""
class Model(torch.nn.Module):
    def forward(self, x):
        return forward(x)

model, x = Model(), leaf()
with lab.watch(model, stats=None, forward=None) as watcher:
    model(x).backward()
(trace,) = watcher.traces
print(names(trace), {node.call.name for node in trace.graph.nodes if node.call})
""")
    assert len(lines) == 1
    assert lines[0].startswith(str(EXPECTED))
    assert "sin" in lines[0]


def test_two_backwards_there_at_once_are_told_apart():
    lines = run("""
together, found = threading.Barrier(2), {}

def trace(length):
    x = leaf()
    y = forward(x, length)
    together.wait()
    found[length] = names(lab.trace(y, names={"x": x}, stats=None))

both = [threading.Thread(target=trace, args=(length,)) for length in (40, 60)]
for thread in both:
    thread.start()
for thread in both:
    thread.join()
print({length: seen.count("SinBackward0") for length, seen in sorted(found.items())}, len(threads))
""")
    assert lines == ["{40: 40, 60: 60} 1"]


def test_statistics_come_over_together_when_the_backward_is_over():
    lines = run("""
for length in (3, 30):
    x = leaf()
    y = forward(x, length)
    ran.clear()
    trace = lab.trace(y, names={"x": x}, stats="full")
    first = trace.steps[1].grad_outputs[0]
    over = [place for place, name in enumerate(ran) if name in ("aten::_copy_from", "aten::_local_scalar_dense")]
    last = max(place for place, name in enumerate(ran) if "vector_norm" in name)
    print(len(trace.steps), len(over), over[0] > last, round(first.norm, 4), first.mean, first.zeros)
""")
    assert lines == ["6 2 True 1.7321 1.0 0", "33 2 True 1.7321 1.0 0"]  # once for floats, once for counts


def test_a_swap_reaches_the_device():
    lines = run("""
x = leaf()
with lab.swap("mul") as swap:
    y = x * 2
print(dict(swap.calls), names(lab.trace(y.sum(), names={"x": x}, stats=None)))
print((x * 2).grad_fn.name())
""")
    assert lines == [
        "{'mul.Tensor': 1} ['SumBackward0', 'MulBackward', 'AccumulateGrad']",
        "MulBackward0",
    ]
