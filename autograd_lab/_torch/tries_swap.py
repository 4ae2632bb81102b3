"""Tries of what replacing kernels and noticing what else computes gradients relies on: see ``tries_graph.py``.

Relies on what ``grounds.py`` lists.
"""

# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

from typing import Any

import torch
from torch.utils import checkpoint

from autograd_lab._torch.tries_graph import Double, leaf, node_of


def native_kernel() -> None:
    """With the autograd key of the device excluded and another included, PyTorch's own kernel makes its node."""
    keys: Any = torch._C.DispatchKey
    guards: Any = torch._C
    ours = torch._C.DispatchKeySet(keys.AutogradCPU)
    x = leaf()
    with guards._ExcludeDispatchKeyGuard(ours), guards._IncludeDispatchKeyGuard(keys.AutogradOther):
        y = torch.ops.aten.mul.Tensor(x, x)
    assert node_of(y).name() == "MulBackward0"
    assert torch._C._dispatch_has_kernel_for_dispatch_key("aten::linear", "CompositeImplicitAutograd")
    linear: Any = torch.ops.aten.linear.default
    assert linear._op_dk(keys.CompositeImplicitAutograd, x, x[None]).shape == (1,)
    assert torch.autograd.forward_ad._current_level == -1


def kernel_replaced() -> None:
    """A kernel at an operation's autograd key is called in the place of PyTorch's, until it's reset."""
    called = []

    def kernel(x: torch.Tensor) -> torch.Tensor:
        called.append(1)
        return x.clone()

    define, replace = (torch._C._dispatch_library(kind, "autograd_lab_tried", "") for kind in ("DEF", "IMPL"))
    x = leaf()
    try:
        define.define("twice(Tensor x) -> Tensor")
        define.impl("twice", "CompositeImplicitAutograd", lambda x: x * 2)
        operation: Any = torch.ops.autograd_lab_tried.twice.default
        replace.impl("twice", "AutogradCPU", kernel)
        operation(x)
        replace.reset()
        assert isinstance(operation._dispatch_cache, dict)
        assert node_of(operation(x)).name() == "MulBackward0"
    finally:
        define.reset()
        torch.library._clear_torch_ops_cache({"autograd_lab_tried::twice"})
    assert called == [1]


def function_applied() -> None:
    """A Function that is applied makes an object of its node's class in Python."""
    made = []
    node_class: Any = node_of(Double.apply(leaf())).__class__
    assert issubclass(node_class, torch.autograd.function.BackwardCFunction)

    def __init__(self: Any) -> None:  # noqa: N807 - that is what it becomes
        made.append(self)

    node_class.__init__ = __init__
    try:
        Double.apply(leaf())
    finally:
        del node_class.__init__
    assert len(made) == 1


def recomputed() -> None:
    """A checkpoint takes what it runs again from its frame, where its forward put it."""
    frame: Any = checkpoint._CheckpointFrame(len, True, None, None)
    assert vars(frame)["recompute_fn"] is len
    assert "recompute_fn" not in vars(checkpoint._CheckpointFrame)
