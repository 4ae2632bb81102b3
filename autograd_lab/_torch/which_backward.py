"""Which backward torch's own Python code takes itself to be in.

Relies on ``torch._C._current_graph_task_id``, ``torch._C._current_autograd_node``,
``torch._C._will_engine_execute_node`` and ``torch.autograd.Variable._execution_engine`` with its ``queue_callback``,
``is_checkpoint_valid`` and ``run_backward``: see Note [A backward's number]. Without them a checkpoint would recompute
for every tensor that's unpacked, hooks that wait for several tensors would never be called, final callbacks would be
refused, or run at the wrong moment, and what is unpacked couldn't ask for which node.

Note [A backward's number]
A checkpoint recomputes once in a backward, and hooks on several tensors wait for all of them in a backward; both tell
backwards apart by the number of their *graph task*, and ask it which nodes will run. What runs in a node's turn may ask
which one that is. Distributed training hands the graph task *final callbacks*, which run when it ends. The glass engine
is no graph task. While it takes a step, this thread is told the engine's own number, a negative one that torch never
gives and higher for a later engine, as torch's are; and the engine answers for its own nodes and keeps the callbacks. A
native backward that user code starts inside a step is told of itself.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.autograd.graph import Node

from autograd_lab.hold import Hold

_VARIABLE: Any = torch.autograd.Variable


class Backward(NamedTuple):
    """What torch's Python code is told of the backward that it runs in. See Note [A backward's number].

    Attributes:
        number: Stands for the graph task: a number that no other backward has.
        current_node: Returns the node whose turn it is.
        will_run: Returns whether a node is going to be run.
        can_checkpoint: Whether a reentrant checkpoint may run, as it may not under ``inputs=``.
        queue_callback: Takes a function that is called when the backward ends.
    """

    number: int
    current_node: Callable[[], Node | None]
    will_run: Callable[[Node], bool]
    can_checkpoint: bool
    queue_callback: Callable[[Callable[[], object]], None]


class _Thread(threading.local):
    """What this thread is told: the glass engine's backward; ``None`` outside of one, and in a native one inside."""

    backward: Backward | None = None


class _ToldEngine:
    """Torch's engine object as Python code sees it while the glass engine takes a step."""

    def __init__(self, native: Any) -> None:
        self.native = native

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def queue_callback(self, callback: Callable[[], object]) -> None:
        """Has a function called when the backward ends."""
        told = _thread.backward
        queue = self.native.queue_callback if told is None else told.queue_callback
        queue(callback)

    def is_checkpoint_valid(self) -> bool:
        """Returns whether a reentrant checkpoint may run."""
        told = _thread.backward
        return bool(self.native.is_checkpoint_valid()) if told is None else told.can_checkpoint

    def run_backward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs a native backward, which is told of itself."""
        with Hold() as held:
            tell(held, None)
            return self.native.run_backward(*args, **kwargs)


_thread = _Thread()
_lock = threading.RLock()
_next = itertools.count(-(2**62))
_steps: set[object] = set()
"""One entry for each step under way, in whichever thread."""

_originals: dict[tuple[Any, str], tuple[Any, Any]] = {}
"""Where something of torch's is replaced → what was there, and what is there now."""


def new_number() -> int:
    """Returns a number that no backward has had, higher than those of the engines before."""
    return next(_next)


def native_number() -> int:
    """Returns the number of the native backward that runs in this thread; -1 where there is none."""
    replaced = _originals.get((torch._C, "_current_graph_task_id"))
    return int((torch._C._current_graph_task_id if replaced is None else replaced[0])())


def native_engine() -> Any:
    """Returns torch's own engine object. What the glass engine starts by way of it takes itself to be in the latter."""
    engine = _VARIABLE._execution_engine
    return engine.native if isinstance(engine, _ToldEngine) else engine


def told_here() -> Backward | None:
    """Returns what this thread is told."""
    return _thread.backward


def tell(held: Hold, backward: Backward | None) -> None:
    """Tells this thread of another backward.

    Args:
        held: For how long.
        backward: Which; ``None`` for the native one alone.
    """
    held.add(functools.partial(setattr, _thread, "backward", _thread.backward))
    _thread.backward = backward


def as_backward(held: Hold, backward: Backward) -> None:
    """Has torch's Python code take what follows for a backward. See Note [A backward's number].

    Args:
        held: For how long.
        backward: What is told to this thread.
    """
    step = object()
    held.add(functools.partial(_leave, step, _thread.backward))
    with _lock:
        _steps.add(step)
        if len(_originals) < len(_REPLACED):
            for owner, name, replacement in _REPLACED:
                original = getattr(owner, name)
                put = replacement(original)
                _originals[owner, name] = original, put
                setattr(owner, name, put)
    _thread.backward = backward


def _leave(step: object, before: Backward | None) -> None:
    """Ends a step; the last to end puts everything back. Idempotent."""
    _thread.backward = before
    with _lock:
        _steps.discard(step)
        if not _steps:
            for (owner, name), (original, put) in tuple(_originals.items()):
                if getattr(owner, name) is put:
                    setattr(owner, name, original)
                del _originals[owner, name]


def _told_number(native: Callable[[], int]) -> Callable[[], int]:
    return lambda: native() if _thread.backward is None else _thread.backward.number


def _told_node(native: Callable[[], Node | None]) -> Callable[[], Node | None]:
    return lambda: native() if _thread.backward is None else _thread.backward.current_node()


def _told_will_run(native: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda node: native(node) if _thread.backward is None else _thread.backward.will_run(node)


_REPLACED: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (torch._C, "_current_graph_task_id", _told_number),
    (torch._C, "_current_autograd_node", _told_node),
    (torch._C, "_will_engine_execute_node", _told_will_run),
    (_VARIABLE, "_execution_engine", _ToldEngine),
)
"""What is replaced during a step, and by what."""
