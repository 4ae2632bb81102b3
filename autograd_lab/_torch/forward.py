"""Seeing the forward: which operation is called, and which nodes it makes.

Relies on

- ``torch._C._autograd._get_sequence_nr()``: the ``sequence_nr`` that the next node of this thread will get. Read
  before and after a call, it gives the nodes that the call made. Without it, nodes would have to be looked at while
  the forward runs, which makes a Python object of each.
- ``torch.overrides.TorchFunctionMode``, and the stack of such modes: ``torch._C._len_torch_function_stack``,
  ``_get_function_stack_at``, ``_push_on_torch_function_stack`` and ``_pop_torch_function_stack``. Without these a mode
  couldn't step aside, nor leave the stack but from the top.
- ``torch._GLOBAL_DEVICE_CONTEXT``: the mode of ``torch.set_default_device``, which torch wants at the very bottom.
- ``torch._C._get_tracing_state``: whether ``torch.jit.trace`` is at work.
- that torch puts a mode back in a ``contextlib.contextmanager``, whose ``__exit__`` tells where. Without it an
  exception that was held back could be taken for the end of torch's generator.
- ``torch._dynamo.OptimizedModule``, which ``torch.compile`` wraps a module in, and its ``_orig_mod``. Without them its
  modules would be called ``_orig_mod…``, and watching would have it compile anew.
- ``torch.overrides.resolve_name``, ``_get_overridable_functions``, ``get_ignored_functions`` and
  ``get_testing_overrides``: what torch functions are called, without the decorator around each that switches some
  warnings off. Without them, a function is called by what it says itself.

Note [The bottom of the stack]
Whoever leaves a ``TorchFunctionMode`` of their own takes the topmost mode off the stack, whichever that is. So the
lab's is put below all others, as torch does with the default device (which has to be lowest of all): then blocks may
end in any order, as they do in generators and asyncio tasks.

Note [A mode that goes by itself]
While a mode is asked about a call, it's off the stack, and torch puts it back when the call is over. So a mode can't
take itself off, and often nobody else can in the thread that it's on: the last backward that is watched runs inside
such a call, and a block may end in another thread. Then the mode asks to be told when the next function begins or
returns in its thread (``sys.setprofile``, where nobody else profiles), which is right after torch has put it back.

Note [Exceptions that pass a mode]
Torch asks a mode about ``Tensor.backward`` in a ``contextlib.contextmanager``, which sets ``__traceback__`` of an
exception that passes it, and so gets another one from a class that refuses that (a frozen dataclass does). Such an
exception is held back until torch has left that block, and raised there, in the same way as in the Note before.

Note [Stepping aside]
While any ``TorchFunctionMode`` is active, torch's own modules believe that their inputs override functions, and don't
take the *fast path* of ``MultiheadAttention``, ``TransformerEncoderLayer`` and ``TransformerEncoder``, whose results
differ in the last bits. They would have taken it only where no graph is made: in a frozen teacher, in an evaluation.
There's nothing to see there, so the mode steps aside for that time, and the fast path is taken as ever. It does so too
for ``torch.jit.trace``, which names values after the variables of whoever calls, and would find the mode's.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, FunctionType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from autograd_lab._torch.called_from import Callers
from autograd_lab.exceptions import sets_attributes_itself
from autograd_lab.hold import Hold

_COMPILED_WITH_HOOKS = "Using `torch.compile\\(module\\)` when there are global hooks on modules"

_DEPRECATED = ".*is deprecated, please use.*"
_NAMES = ("resolve_name", "_get_overridable_functions", "get_ignored_functions", "get_testing_overrides")

TellCall = Callable[[Any, int, Any], None]

_FAST_PATHS = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer, torch.nn.TransformerEncoder)

_BACKWARDS = {torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad}


def quiet(held: Hold) -> None:
    """Has torch not warn that hooks around modules fire for compiled modules too: the user hasn't registered any.

    Filters that the user sets in between stay. The list is changed without telling ``warnings``, which would have
    every warning that was shown once shown again.

    Args:
        held: Has it warn again.
    """
    _ignore(held, _COMPILED_WITH_HOOKS)


def _ignore(held: Hold, message: str) -> None:
    entry = ("ignore", re.compile(message), UserWarning, None, 0)
    filters: list[Any] = warnings.filters  # type: ignore[assignment] # typeshed has it as a Sequence

    def undo() -> None:
        filters[:] = [each for each in filters if each is not entry]

    held.add(undo)
    filters.insert(0, entry)


def next_sequence_nr() -> int:
    """Returns the ``sequence_nr`` of the node that this thread will make next."""
    return torch._C._autograd._get_sequence_nr()


class CallWatch(TorchFunctionMode):
    """Tells about each call of a torch function that made nodes, when it's over.

    Args:
        tell: Is called with the function, the ``sequence_nr`` of the first node that it made, and what it returned.
            Not with those that run a backward: what these make is the engine's.

    Attributes:
        listens: Whether anything is told. Once it's false, the mode takes itself off the stack at the next call. See
            Note [A mode that goes by itself].
    """

    def __init__(self, tell: TellCall) -> None:
        super().__init__()
        self.listens = False
        self._tell = tell
        self._callers = Callers()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        __tracebackhide__ = True
        if torch.compiler.is_compiling():
            return func(*args, **(kwargs or {}))
        begin = next_sequence_nr()
        try:
            result = self._callers.call(sys._getframe(1), func, args, kwargs or {})
        except BaseException as error:
            if func not in _BACKWARDS or not sets_attributes_itself(error) or sys.getprofile() is not None:
                raise
            sys.setprofile(_WhenBack(self, error))
            return None
        finally:
            if not self.listens and sys.getprofile() is None:
                sys.setprofile(_WhenBack(self))
        if next_sequence_nr() != begin and self.listens and func not in _BACKWARDS:
            self._tell(func, begin, result)
        return result


class _WhenBack:
    """What a mode wants done when it's back on the stack; called whenever a function of this thread begins or returns.

    Args:
        mode: The mode. If it listens no longer, it's taken off the stack: see Note [A mode that goes by itself].
        error: Is raised, if there is one: see Note [Exceptions that pass a mode].
    """

    def __init__(self, mode: CallWatch, error: BaseException | None = None) -> None:
        self._mode = mode
        self._error = error

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        __tracebackhide__ = True
        if not is_in(self._mode) or (self._error is not None and _is_in_manager(frame, event)):
            return
        sys.setprofile(None)
        if not self._mode.listens:
            take_out(self._mode)
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # it knows this frame


@contextlib.contextmanager
def _manager() -> Iterator[None]:
    yield


_LEAVES_MANAGER = type(_manager()).__exit__.__code__


def _is_in_manager(frame: FrameType, event: str) -> bool:
    """Whether torch's context manager, or its generator, would take a ``StopIteration`` raised here for its end."""
    if frame.f_code is _LEAVES_MANAGER:
        return event != "return"
    caller = frame.f_back  # the generator, or what it calls to put the mode back
    callers = (caller, None if caller is None else caller.f_back)
    return any(each is not None and each.f_code is _LEAVES_MANAGER for each in callers)


def put_in(mode: TorchFunctionMode) -> None:
    """Puts a mode on this thread's stack, if it isn't there. See Note [The bottom of the stack]."""
    stack = _stack()
    if not stack:
        torch._C._push_on_torch_function_stack(mode)
    elif not any(each is mode for each in stack):
        below = int(stack[0] is getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None))
        _restack([*stack[:below], mode, *stack[below:]])


def take_out(mode: TorchFunctionMode) -> bool:
    """Takes a mode off this thread's stack, wherever it is on it.

    Args:
        mode: Any mode.

    Returns:
        Whether it was there.
    """
    stack = _stack()
    others = [each for each in stack if each is not mode]
    if len(others) == len(stack):
        return False
    if stack[-1] is mode and len(others) == len(stack) - 1:
        torch._C._pop_torch_function_stack()
    else:
        _restack(others)
    return True


def is_in(mode: TorchFunctionMode) -> bool:
    """Whether a mode is anywhere on this thread's stack."""
    return any(each is mode for each in _stack())


def _stack() -> list[Any]:
    return [torch._C._get_function_stack_at(i) for i in range(torch._C._len_torch_function_stack())]


def _restack(wanted: list[Any]) -> None:
    """Makes this thread's stack hold these modes, whatever happens."""
    with Hold() as held:
        held.add(lambda: _replace(wanted))


def _replace(wanted: list[Any]) -> None:
    stack = _stack()
    same = next((index for index, (a, b) in enumerate(zip(stack, wanted, strict=False)) if a is not b), None)
    same = min(len(stack), len(wanted)) if same is None else same
    for _ in stack[same:]:
        torch._C._pop_torch_function_stack()
    for mode in wanted[same:]:
        torch._C._push_on_torch_function_stack(mode)


def is_asked(mode: TorchFunctionMode) -> bool:
    """Whether a mode was asked about a call that this thread is running, and so is off the stack until that's over."""
    frame = sys._getframe()
    code = type(mode).__torch_function__.__code__
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is code and frame.f_locals.get("self") is mode:
            return True
    return False


def compiled_from(module: torch.nn.Module) -> torch.nn.Module | None:
    """Returns the module that ``torch.compile`` was given to make this one; ``None`` for any other.

    See Note [Compiled modules] in ``backward/forward.py``.
    """
    eval_frame = sys.modules.get(
        "torch._dynamo.eval_frame"
    )  # importing it takes long; compiled code has done so
    if eval_frame is None or not isinstance(module, eval_frame.OptimizedModule):
        return None
    inner: torch.nn.Module = module._orig_mod
    return inner


def makes_no_graph(module: torch.nn.Module) -> bool:
    """Whether a module, called now, may make no graph and take a fast path: see Note [Stepping aside]."""
    if not torch.is_grad_enabled() or torch._C._get_tracing_state() is not None:
        return True
    if module.training or not isinstance(module, _FAST_PATHS):
        return False
    return not any(parameter.requires_grad for parameter in module.parameters())


def function_name(func: Any) -> str:
    """Returns the public name of a function that ``CallWatch`` told of: ``"torch.nn.functional.linear"``."""
    with Hold() as held:
        _ignore(held, _DEPRECATED)
        return _resolve_name()(func) or f"{func.__module__}.{func.__qualname__}"


@functools.cache
def _resolve_name() -> Callable[[Any], str | None]:
    """Torch's function and those that it calls, without what has Python forget the warnings that were shown.

    See Note [Filters stay untouched] in ``warned_at.py``.
    """
    known = dict(vars(torch.overrides))
    for name in _NAMES:
        function = inspect.unwrap(known[name])
        plain = FunctionType(function.__code__, known, name, function.__defaults__, function.__closure__)
        known[name] = plain if name == "resolve_name" else functools.cache(plain)
    found: Callable[[Any], str | None] = known["resolve_name"]
    return found
