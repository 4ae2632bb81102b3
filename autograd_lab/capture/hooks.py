"""The hooks that are there already, as records. None is added and none is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from autograd_lab._torch import hooks as _hooks
from autograd_lab.capture.calls import qualified_name, source_of
from autograd_lab.records import Hook

_NEITHER: tuple[Sequence[Hook], Sequence[Hook]] = ((), ())


def of_node(before: _hooks.Hooks, after: _hooks.Hooks) -> tuple[Sequence[Hook], Sequence[Hook]]:
    """Gives a node's own hooks: those that fire before it runs, and those that fire after."""
    return _records("pre_hook", before), _records("post_hook", after)


def of_leaf(variable: torch.Tensor) -> tuple[Sequence[Hook], Sequence[Hook]]:
    """Gives a leaf's hooks: those that fire before its ``AccumulateGrad``'s own, and those that fire last."""
    if not _hooks.of_tensor(variable) and not _hooks.of_leaf_after_accumulation(variable):
        return _NEITHER
    return (
        _records("tensor_pre_hook", _hooks.of_tensor(variable), input_nr=0),
        _records("post_accumulate_grad_hook", _hooks.of_leaf_after_accumulation(variable)),
    )


def of_intermediate(tensor: torch.Tensor) -> Iterator[Hook]:
    """Gives the hooks on a tensor that is no leaf; they belong to the node that made it.

    ``retain_grad`` comes last, as it fires after the hooks that may change the gradient.
    """
    yield from _records("tensor_pre_hook", _hooks.of_tensor(tensor), input_nr=tensor.output_nr)
    if tensor.retains_grad:
        yield Hook("retains_grad_hook", "retain_grad", tensor.output_nr)


def _records(kind: str, hooks: _hooks.Hooks, input_nr: int | None = None) -> list[Hook]:
    return [Hook(kind, qualified_name(hook), input_nr, source_of(hook)) for hook in hooks.values()]
