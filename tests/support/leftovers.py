"""What the lab could leave behind in torch, for tests that look around after an interrupt or a block's end."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
import warnings

import torch
from torch.autograd.function import _HookMixin
from torch.utils import _python_dispatch, checkpoint

from autograd_lab._torch import hooks
from autograd_lab.functions import rules
from autograd_lab.live.runs import Task

_module = torch.nn.modules.module


def everywhere():
    """Everything global, of this process and this thread; equal if nothing was left."""
    return {
        "engine": torch.autograd._engine_run_backward,
        "registering": vars(_HookMixin)["_register_hook"],
        "readers": set(hooks._readers),
        "function modes": [
            torch._C._get_function_stack_at(i) for i in range(torch._C._len_torch_function_stack())
        ],
        "dispatch modes": [
            torch._C._get_dispatch_stack_at(i) for i in range(torch._C._len_torch_dispatch_stack())
        ],
        "dispatch flags": {
            name: value for name, value in vars(_python_dispatch).items() if name.startswith("_is_in_")
        },
        "module hooks": [
            dict(getattr(_module, name)) for name in dir(_module) if name.startswith("_global_") and "hook" in name
            and isinstance(getattr(_module, name), dict)
        ],
        "marks": torch._C._is_key_in_tls("autograd_lab: whose backward this is"),
        "warnings": list(warnings.filters),
        "warn": warnings.warn,
        "grad mode": torch.is_grad_enabled(),
        "multithreading": torch._C._is_multithreading_enabled(),
        "profile": sys.getprofile(),
        "trace function": sys.gettrace(),
        "inference mode": torch.is_inference_mode_enabled(),
        "saved-tensor hooks": torch._C._autograd._top_saved_tensors_default_hooks(False),
        "anomaly mode": torch.is_anomaly_enabled(),
        "forward-mode level": torch.autograd.forward_ad._current_level,
        "defaults": (torch.get_default_dtype(), torch.get_default_device()),
        "execution engine": type(torch.autograd.Variable._execution_engine),
        "threads": threading.active_count(),
        "interrupts": signal.getsignal(signal.SIGINT),
    }  # fmt: skip


def live_threads():
    """The threads of live pages' servers that run, known by their code: ``threading`` lists none of them."""
    until = time.monotonic() + 0.5  # one that has said that it's over needs a moment to return
    while (found := _live_threads()) and time.monotonic() < until:
        time.sleep(0.001)
    return found


def _live_threads():
    frames = {thread: traceback.walk_stack(frame) for thread, frame in sys._current_frames().items()}
    return [
        thread
        for thread, stack in frames.items()
        if any(each.f_code is Task.call.__code__ for each, _ in stack)
    ]


def kernels():
    """The operations with rules at whose own autograd key a kernel stands; PyTorch registers none there."""
    names = {name for rule in rules.values() for name in (*rule.replaces, *rule.in_place)}
    return [name for name in sorted(names) if "\nAutogradCPU:" in torch._C._dispatch_dump(f"aten::{name}")]


def take_off_checkpoint_hooks():
    """Takes off the saved-tensor hooks that torch's own checkpoint left, and returns how many there were.

    An interrupt inside of ``torch.utils.checkpoint`` itself can keep it from taking its hooks off: it did so 10 times
    in 6,000 in a program without the lab. The lab never registers any, so whatever else stands there is a fault.
    """
    count = 0
    while (top := torch._C._autograd._top_saved_tensors_default_hooks(False)) is not None:
        pack = top[0]
        if pack.__module__ != checkpoint.__name__ or not pack.__qualname__.startswith("_checkpoint_hook."):
            break
        torch._C._autograd._pop_saved_tensors_default_hooks()
        count += 1
    return count


def own_hooks(nodes):
    """The lab's own hooks, the probe among them, that are on nodes."""
    found = [hook for node in nodes for table in on_node(node) for hook in table.values()]
    return [hook for hook in found if hooks.is_own(hook) or hook is hooks._probe]


def on_node(node):
    """A node's pre-hooks and post-hooks, found without the lab."""
    seen = []

    def look(given, hook):
        seen.append(dict(given or {}))
        raise KeyError

    original = vars(_HookMixin)["_register_hook"]
    _HookMixin._register_hook = staticmethod(look)
    try:
        for register in (node.register_prehook, node.register_hook):
            try:
                register(print)
            except KeyError:
                continue
    finally:
        _HookMixin._register_hook = original
    return seen
