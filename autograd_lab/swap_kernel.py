"""The kernel of a swapped operation: the rule where it is swapped here, PyTorch's own elsewhere.

Relies on ``_torch/dispatch.py`` for PyTorch's own kernel. Promises that a call which a rule doesn't take is PyTorch's,
and is counted. See Note [What a swap leaves to PyTorch] in ``swap.py``.

Note [In place]
``x.mul_(y)`` is ``x.copy_(x * y)``: the rule computes the product, and PyTorch's ``copy_`` puts it into ``x``, with all
that PyTorch does where memory is shared: version counters, ``CopySlices`` under views, the refusal of a leaf. Where the
rule may save ``x`` it is given a copy, since ``x`` is about to be overwritten; its formulas tell. What doesn't fit into
``x`` goes to PyTorch's own kernel, which says so in PyTorch's words.
The product reads the ``x`` that was there before: where ``x`` is a view, hooks that were put on it before are called.
PyTorch's own node has no edge to the view that it overwrites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import torch
from torch.autograd.forward_ad import unpack_dual

from autograd_lab._torch import dispatch
from autograd_lab.functions import Adapter, Rule, as_own_code, in_own_code

Apply: TypeAlias = Callable[[type[Rule], tuple[Any, ...], torch.Tensor], torch.Tensor | None]
"""Calls a rule with its arguments, for the operation whose first argument is the third."""


class Counts(Protocol):
    """A swap, which counts.

    Attributes:
        calls: How often each ATen operation was swapped, by overload name.
        left: How often one was left to PyTorch where a gradient was at stake.
    """

    calls: Counter[str]
    left: Counter[str]


class Setting:
    """What happens to one operation where a swap is on."""

    __slots__ = ("adapt", "apply", "owner", "rule")

    def __init__(self, rule: type[Rule], adapt: Adapter, apply: Apply, owner: Counts) -> None:
        self.rule = rule
        self.adapt = adapt
        self.apply = apply
        self.owner = owner


def kernel(name: str, here: Callable[[str], Setting | None]) -> Callable[..., Any]:
    """Makes the kernel of one operation.

    Args:
        name: The operation's overload name.
        here: Returns the setting of an operation where it is called; ``None`` where it is PyTorch's.

    Returns:
        What is registered for it.
    """
    op = dispatch.operation(name)
    native = dispatch.native(op)

    def run(*args: Any, **kwargs: Any) -> Any:
        setting = None if in_own_code() else here(name)
        if setting is None or not _differentiable(args) or torch.compiler.is_compiling():
            return native(*args, **kwargs)
        takes = dispatch.plain(args) and not dispatch.transformed()
        adapted = as_own_code(setting.adapt, *args, **kwargs) if takes else None
        if adapted is None:
            return _left(setting, name, native(*args, **kwargs), args)
        made = setting.apply(setting.rule, adapted, args[0])
        if made is None:
            return native(*args, **kwargs)
        setting.owner.calls[name] += 1
        return made

    return run


def _left(setting: Setting, name: str, made: Any, args: tuple[Any, ...]) -> Any:
    """Counts a call that was left to PyTorch; one that only gave back what it was given made no node."""
    if setting.apply is apply_in_place or not any(made is arg for arg in args):
        setting.owner.left[name] += 1
    return made


def apply(rule: type[Rule], adapted: tuple[Any, ...], _target: Any) -> torch.Tensor:
    """Returns the rule's result."""
    made: torch.Tensor = rule.apply(*adapted)  # type: ignore[no-untyped-call]
    return made


def apply_in_place(rule: type[Rule], adapted: tuple[Any, ...], target: torch.Tensor) -> torch.Tensor | None:
    """Computes and overwrites; ``None``, with nothing done, where PyTorch would refuse. See Note [In place]."""
    if rule.needs_operand:
        copy = target.clone()
        adapted = tuple(copy if arg is target else arg for arg in adapted)
    made: torch.Tensor = rule.apply(*adapted)  # type: ignore[no-untyped-call]
    fits = made.shape == target.shape and torch.can_cast(made.dtype, target.dtype)
    return target.copy_(made) if fits else None


def _differentiable(args: tuple[Any, ...]) -> bool:
    """Returns whether a call can make a node or a tangent: one of its tensors needs a gradient or has a tangent."""
    tensors = [value for value in args if isinstance(value, torch.Tensor)]
    if torch.is_grad_enabled() and any(value.requires_grad for value in tensors):
        return True
    return dispatch.in_forward_mode() and any(
        unpack_dual(value).tangent is not None  # type: ignore[no-untyped-call]
        for value in tensors
    )
