"""The hooks that are there already, as records. None is added and none is called."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence

import torch

from autograd_lab._torch import hooks as _hooks, module_hooks as _module_hooks
from autograd_lab.capture.calls import qualified_name, source_of
from autograd_lab.records import Hook

_NEITHER: tuple[Sequence[Hook], Sequence[Hook]] = ((), ())


def of_node(
    before: _hooks.Hooks, after: _hooks.Hooks, name_of: Callable[[torch.nn.Module], str]
) -> tuple[Sequence[Hook], Sequence[Hook]]:
    """Returns a node's own hooks: those that fire before it runs, and those that fire after.

    A module's hook, which torch calls from one of its own, is called by the user's function and the module.
    """
    others: list[Hook] = []
    for number, hook in tuple(after.items()):
        found = _module_hooks.of_module(hook)
        others += _records("post_hook", {number: hook}) if found is None else _of_module(found, name_of)
    return _records("pre_hook", before), others


def _of_module(found: _module_hooks.OfModule, name_of: Callable[[torch.nn.Module], str]) -> list[Hook]:
    module = name_of(found.module)
    if not found.called:
        return [Hook("post_hook", f"BackwardHook of {module}")]
    return [
        Hook("post_hook", f"{qualified_name(hook)} of {module}", None, source_of(hook))
        for hook in found.called
    ]


def of_leaf(variable: torch.Tensor) -> tuple[Sequence[Hook], Sequence[Hook]]:
    """Returns a leaf's hooks: those that fire before its ``AccumulateGrad``'s own, and those that fire last."""
    if not _hooks.of_tensor(variable) and not _hooks.after_accumulation(variable):
        return _NEITHER
    return (
        _records("tensor_pre_hook", _hooks.of_tensor(variable), input_nr=0),
        _records("post_accumulate_grad_hook", _hooks.after_accumulation(variable) or {}),
    )


def of_intermediates(tensors: Collection[torch.Tensor]) -> list[Hook]:
    """Returns the hooks on the tensors that a node made; they belong to the node.

    The engine goes from tensor to tensor in the order in which each got its first hook, which the hooks' numbers tell
    as long as that first hook is there. ``retain_grad`` comes last, after the hooks that may change a gradient.
    """
    hooked = [(_hooks.of_tensor(tensor), tensor.output_nr) for tensor in tensors]
    hooked.sort(key=lambda pair: min(pair[0], default=0))
    retained = sorted(tensor.output_nr for tensor in tensors if tensor.retains_grad)
    return [
        *itertools.chain.from_iterable(_records("tensor_pre_hook", *pair) for pair in hooked),
        *(Hook("retains_grad_hook", "retain_grad", input_nr) for input_nr in retained),
    ]


def _records(kind: str, hooks: _hooks.Hooks, input_nr: int | None = None) -> list[Hook]:
    """Not the lab's own, which are there while a backward is traced; another thread may be taking some away now."""
    return [
        Hook(kind, qualified_name(hook), input_nr, source_of(hook))
        for hook in tuple(hooks.values())
        if not _hooks.is_own(hook)
    ]
