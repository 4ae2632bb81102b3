"""Seeing the forward: which operation is called, and which nodes it makes.

Relies on

- ``torch._C._autograd._get_sequence_nr()``: the ``sequence_nr`` that the next node of this thread will get. Read
  before and after a call, it gives the nodes that the call made. Without it, nodes would have to be looked at while
  the forward runs, which makes a Python object of each.
- ``torch.overrides.TorchFunctionMode``, and the stack of such modes: ``torch.overrides._push_mode`` and ``_pop_mode``,
  ``torch._C._len_torch_function_stack`` and ``_get_function_stack_at``. Without the last two a mode couldn't step
  aside.

- ``torch._C._get_tracing_state``: whether ``torch.jit.trace`` is at work.
- ``torch._dynamo.OptimizedModule``, which ``torch.compile`` wraps a module in, and its ``_orig_mod``. Without them its
  modules would be called ``_orig_mod…``, and watching would have it compile anew.

Note [Stepping aside]
While any ``TorchFunctionMode`` is active, torch's own modules believe that their inputs override functions, and don't
take the *fast path* of ``MultiheadAttention``, ``TransformerEncoderLayer`` and ``TransformerEncoder``, whose results
differ in the last bits. They would have taken it only where no graph is made: in a frozen teacher, in an evaluation.
There's nothing to see there, so the mode steps aside for that time, and the fast path is taken as ever. It does so too
for ``torch.jit.trace``, which names values after the variables of whoever calls, and would find the mode's.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, _pop_mode, _push_mode, resolve_name

_COMPILED_WITH_HOOKS = "Using `torch.compile\\(module\\)` when there are global hooks on modules"

Tell = Callable[[Any, int, Any], None]

_FAST_PATHS = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer, torch.nn.TransformerEncoder)

_BACKWARDS = {torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad}


def quiet() -> Callable[[], None]:
    """Has torch not warn that hooks around modules fire for compiled modules too: the user hasn't registered any.

    Returns:
        A function that has it warn again. Filters that were set in between stay.
    """
    warnings.filterwarnings("ignore", _COMPILED_WITH_HOOKS, UserWarning)
    entry = warnings.filters[0]

    def undo() -> None:
        if entry in warnings.filters:  # a user's catch_warnings may have put an older list back
            warnings.filters.remove(entry)  # type: ignore[attr-defined] # typeshed has it as a Sequence

    return undo


def next_sequence_nr() -> int:
    """Gives the ``sequence_nr`` of the node that this thread will make next."""
    return torch._C._autograd._get_sequence_nr()


class CallWatch(TorchFunctionMode):
    """Tells about each call of a torch function that made nodes, when it's over.

    Args:
        tell: Is called with the function, the ``sequence_nr`` of the first node that it made, and what it returned.
            Not with those that run a backward: what these make is the engine's.

    Attributes:
        listens: Whether anything is told.
    """

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self.listens = True
        self._tell = tell

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        __tracebackhide__ = True
        if not self.listens or torch.compiler.is_compiling():
            return func(*args, **(kwargs or {}))
        begin = next_sequence_nr()
        result = func(*args, **(kwargs or {}))
        if next_sequence_nr() != begin and func not in _BACKWARDS:
            self._tell(func, begin, result)
        return result


def enter(mode: TorchFunctionMode) -> None:
    """Puts a mode on this thread's stack."""
    _push_mode(mode)  # type: ignore[no-untyped-call]


def leave(mode: TorchFunctionMode) -> bool:
    """Takes a mode off this thread's stack, if it's on top of it.

    Args:
        mode: Any mode.

    Returns:
        Whether it was.
    """
    depth = torch._C._len_torch_function_stack()
    if depth == 0 or torch._C._get_function_stack_at(depth - 1) is not mode:
        return False
    _pop_mode()  # type: ignore[no-untyped-call]
    return True


def compiled_from(module: torch.nn.Module) -> torch.nn.Module | None:
    """Gives the module that ``torch.compile`` was given to make this one; ``None`` for any other.

    See Note [Compiled modules] in ``backward/forward.py``.
    """
    eval_frame = sys.modules.get(
        "torch._dynamo.eval_frame"
    )  # importing it takes long; compiled code has done so
    if eval_frame is None or not isinstance(module, eval_frame.OptimizedModule):
        return None
    inner: torch.nn.Module = module._orig_mod
    return inner


def is_active(mode: TorchFunctionMode) -> bool:
    """Whether a mode is anywhere on this thread's stack."""
    depth = torch._C._len_torch_function_stack()
    return any(torch._C._get_function_stack_at(place) is mode for place in range(depth))


def makes_no_graph(module: torch.nn.Module) -> bool:
    """Whether a module, called now, may make no graph and take a fast path: see Note [Stepping aside]."""
    if not torch.is_grad_enabled() or torch._C._get_tracing_state() is not None:
        return True
    if module.training or not isinstance(module, _FAST_PATHS):
        return False
    return not any(parameter.requires_grad for parameter in module.parameters())


def function_name(func: Any) -> str:
    """Gives the public name of a function that ``CallWatch`` told of: ``"torch.nn.functional.linear"``."""
    return resolve_name(func) or f"{func.__module__}.{func.__qualname__}"
