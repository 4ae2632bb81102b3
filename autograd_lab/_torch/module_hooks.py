"""Hooks around the forward of every module, or of one, put on and taken off as often as wanted.

Relies on ``torch.nn.modules.module._global_forward_pre_hooks``, ``_global_forward_hooks`` and
``_global_forward_hooks_always_called``, and on a module's own ``_forward_hooks`` and ``_forward_hooks_always_called``.
``register_module_forward_hook`` hands out a handle, and an interrupt that comes before the handle is stored would leave
the hook for ever; it also counts the hook, so that every later capture would look for hooks on nodes. Here a hook's
number is known before it's put on. Promises that putting on and taking off are idempotent.

And on ``torch.nn.Module._call_impl``, whose frames tell which calls are running. A call that began before the hooks
were put on never tells when it's over.

And on ``torch.utils.hooks.BackwardHook`` with its ``module``, ``user_hooks``, ``user_pre_hooks`` and
``input_tensors_index``: ``register_full_backward_hook`` puts functions of torch's own on two nodes, which call the
user's. Without it such a hook is called by the name of torch's function.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch.nn.modules import module as _module
from torch.utils.hooks import BackwardHook

ModuleBegins = Callable[[torch.nn.Module, Any], None]
"""A forward pre-hook: is called with the module and its arguments."""

Ends = Callable[[torch.nn.Module, Any, Any], None]
"""A forward hook: is called with the module, its arguments and its output, also if the forward raised."""

_numbers = itertools.count(-1, -1)  # torch counts from 0 upwards


class AroundEveryModule:
    """Two hooks around every module's forward, in every thread.

    Args:
        begins: Is called before it.
        ends: Is called after it.
    """

    def __init__(self, begins: ModuleBegins, ends: Ends) -> None:
        self._number = next(_numbers)
        self._begins = begins
        self._ends = ends

    def put_on(self) -> None:
        """Puts them on, if they aren't."""
        _module._global_forward_pre_hooks[self._number] = self._begins
        _module._global_forward_hooks[self._number] = self._ends
        _module._global_forward_hooks_always_called[self._number] = True

    def take_off(self) -> None:
        """Takes them off, if they're on."""
        _module._global_forward_pre_hooks.pop(self._number, None)
        _module._global_forward_hooks.pop(self._number, None)
        _module._global_forward_hooks_always_called.pop(self._number, None)


class AfterOneModule:
    """A hook after one module's forward.

    Args:
        module: The module.
        ends: Is called after it.
    """

    def __init__(self, module: torch.nn.Module, ends: Ends) -> None:
        self._number = next(_numbers)
        self._module = module
        self._ends = ends

    def put_on(self) -> None:
        """Puts it on, if it isn't."""
        self._module._forward_hooks_always_called[self._number] = True
        self._module._forward_hooks[self._number] = self._ends

    def take_off(self) -> None:
        """Takes it off, if it's on."""
        self._module._forward_hooks.pop(self._number, None)
        self._module._forward_hooks_always_called.pop(self._number, None)


_CALL = torch.nn.Module._call_impl.__code__


def running() -> list[torch.nn.Module]:
    """Returns the modules whose calls are running in this thread, the outermost first."""
    found = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is _CALL:
            found.append(frame.f_locals["self"])
        frame = frame.f_back
    return found[::-1]


class OfModule(NamedTuple):
    """What torch put on a node for a module's backward hooks.

    Attributes:
        module: The module.
        called: The user's functions that it calls. None, where it only keeps the gradients for those on another node.
    """

    module: torch.nn.Module
    called: tuple[Callable[..., Any], ...]


def of_module(hook: Any) -> OfModule | None:
    """Returns which module's hooks a node's hook is for; ``None`` for any other hook."""
    code: Any = getattr(hook, "__code__", None)
    owner = _HOLDS_OWNER.get(getattr(code, "co_qualname", None))
    if owner is None or "self" not in code.co_freevars:
        return None
    found = hook.__closure__[code.co_freevars.index("self")].cell_contents
    return OfModule(found.module, tuple(owner(found))) if isinstance(found, BackwardHook) else None


def _called_at_the_output(found: Any) -> Iterable[Callable[..., Any]]:
    """Where no input of the module needs a gradient, there is no node at its input."""
    return (*found.user_pre_hooks, *(found.user_hooks if found.input_tensors_index is None else ()))


_HOLDS_OWNER: dict[str | None, Callable[[Any], Iterable[Callable[..., Any]]]] = {
    "BackwardHook._set_user_hook.<locals>.hook": lambda found: found.user_hooks,
    "BackwardHook.setup_output_hook.<locals>.fn.<locals>.hook": _called_at_the_output,
}
