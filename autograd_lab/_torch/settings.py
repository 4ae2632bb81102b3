"""What a thread or the process has set, changed for a while and put back however the block ends.

Torch's own blocks (``torch.no_grad()``, ``torch.set_grad_enabled``) and ``warnings.catch_warnings`` are written in
Python: an interrupt in the middle of their ``__enter__`` or ``__exit__`` leaves what they set. See Note [With blocks
and interrupts] in ``hold.py``.

Relies on:

- ``torch._C._set_grad_enabled``: gradient mode without an object that sets it back;
- ``torch._C._len_torch_dispatch_stack``, ``_get_dispatch_stack_at``, ``_pop_torch_dispatch_stack``, and
  ``torch.utils._python_dispatch._push_mode``: the modes of a thread. Torch's own ``_disable_current_modes`` does the
  same, but loses a user's mode if it's interrupted;
- ``torch._C._len_torch_function_stack`` and its kin, ``torch.autograd.forward_ad._current_level`` and
  ``torch._C._enter_dual_level``, ``_exit_dual_level``: the same for what ``keep_settings`` keeps;
- ``torch._C._InferenceMode``, whose ``__enter__`` and ``__exit__`` are C++.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.utils import _python_dispatch

from autograd_lab.hold import Hold

not_inference: Any = functools.partial(torch._C._InferenceMode, False)
"""Returns a block without inference mode."""


def set_grad_mode(held: Hold, enabled: bool) -> None:
    """Turns gradients on or off in this thread.

    Args:
        held: For how long.
        enabled: Whether they're on.
    """
    held.add(functools.partial(torch._C._set_grad_enabled, torch.is_grad_enabled()))
    torch._C._set_grad_enabled(enabled)


class grad_mode(Hold):  # noqa: N801 - read as a verb, as ``torch.no_grad`` is
    """A block with gradients on or off.

    Args:
        enabled: Whether they're on.
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self._enabled = enabled

    def __enter__(self) -> grad_mode:
        super().__enter__()
        set_grad_mode(self, self._enabled)
        return self


class without_modes(Hold):  # noqa: N801 - read as a phrase
    """A block in which no ``TorchDispatchMode`` and no ``__torch_function__`` notices what runs."""

    def __enter__(self) -> without_modes:
        super().__enter__()
        functions = torch._C.DisableTorchFunction()
        self.add(functools.partial(functions.__exit__, None, None, None))
        functions.__enter__()
        self.add(functools.partial(_set_modes, _modes()))
        _set_modes(())
        return self


def _modes() -> tuple[Any, ...]:
    length = torch._C._len_torch_dispatch_stack()
    return tuple(torch._C._get_dispatch_stack_at(i) for i in range(length))


def _set_modes(modes: Sequence[Any]) -> None:
    """Makes these the modes of this thread."""
    present = _modes()
    if len(present) == len(modes) and all(map(lambda one, other: one is other, present, modes)):
        return
    while torch._C._len_torch_dispatch_stack():
        torch._C._pop_torch_dispatch_stack(None)
    for mode in modes:
        _python_dispatch._push_mode(mode)


def keep_settings(held: Hold) -> None:
    """Has this thread's gradient mode, modes, forward-mode level and the warnings be what they are now.

    For what runs torch's own testing code, whose blocks an interrupt may leave.

    Args:
        held: For how long.
    """
    held.add(functools.partial(torch._C._set_grad_enabled, torch.is_grad_enabled()))
    held.add(functools.partial(_set_modes, _modes()))
    held.add(functools.partial(_set_function_modes, _function_modes()))
    if forward_ad._current_level < 0:  # torch has one level at most
        held.add(_leave_forward_mode)
    keep_warnings(held)


def _function_modes() -> tuple[Any, ...]:
    return tuple(map(torch._C._get_function_stack_at, range(torch._C._len_torch_function_stack())))


def _set_function_modes(modes: Sequence[Any]) -> None:
    present = _function_modes()
    if len(present) == len(modes) and all(map(lambda one, other: one is other, present, modes)):
        return
    while torch._C._len_torch_function_stack():
        torch._C._pop_torch_function_stack()
    for mode in modes:
        torch._C._push_on_torch_function_stack(mode)


def _leave_forward_mode() -> None:
    """Leaves forward mode, also where torch's own count of levels in Python and in C++ have parted."""
    try:
        level = torch._C._enter_dual_level()
    except RuntimeError:  # there's a level, and torch allows one
        level = 0
    torch._C._exit_dual_level(level=level)
    forward_ad._current_level = -1


def keep_warnings(held: Hold) -> None:
    """Has the filters of ``warnings`` be what they are now, whatever an interrupted ``catch_warnings`` leaves.

    Args:
        held: For how long.
    """
    held.add(functools.partial(setattr, warnings, "filters", warnings.filters))
    held.add(functools.partial(setattr, warnings, "showwarning", warnings.showwarning))
