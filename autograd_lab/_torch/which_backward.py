"""Which backward torch's own Python code thinks that it's in.

Relies on ``torch._C._current_graph_task_id``, ``torch._C._will_engine_execute_node`` and
``torch.autograd._is_checkpoint_valid``: see Note [A backward's number]. Without them a checkpoint would recompute for
every tensor that's unpacked, and hooks that wait for several tensors would never be called.

Note [A backward's number]
A checkpoint recomputes once in a backward, and hooks on several tensors wait for all of them in a backward; both tell
backwards apart by the number of their *graph task*, and ask it which nodes will run. The glass engine is no graph task.
While it takes a step, this thread is told the engine's own number, a negative one that torch never gives, and the
engine answers for its own nodes.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.autograd.graph import Node


class Backward(NamedTuple):
    """What torch's Python code is told of the backward that it runs in. See Note [A backward's number].

    Attributes:
        number: Stands for the graph task: a number that no other backward has.
        will_run: Says whether a node is going to be run.
        can_checkpoint: Whether a reentrant checkpoint may run, as it may not under ``inputs=``.
    """

    number: int
    will_run: Callable[[Node], bool]
    can_checkpoint: bool


class _Thread(threading.local):
    """What this thread is told."""

    backward: Backward | None = None
    in_service = False

    def told(self) -> Backward | None:
        """The glass engine's backward; ``None`` in a native one that was started inside it."""
        native_inside = _native is not None and _native[0]() != -1 and not self.in_service
        return None if native_inside else self.backward


class _InService:
    """While the native engine only calls hooks for the glass engine, which doesn't happen inside itself."""

    def __enter__(self) -> None:
        _thread.in_service = True

    def __exit__(self, *_: object) -> None:
        _thread.in_service = False


IN_SERVICE = _InService()
"""The context in which the native engine works for the glass engine."""

_thread = _Thread()
_lock = threading.Lock()
_next = itertools.count(2)
_steps = 0
_native: tuple[Callable[[], int], Callable[[Any], bool], Callable[[], bool]] | None = None


def new_number() -> int:
    """Gives a number that no backward has had."""
    return -next(_next)


@contextlib.contextmanager
def as_backward(backward: Backward) -> Iterator[None]:
    """Gives a context that torch's Python code takes for a backward. See Note [A backward's number]."""
    before = _thread.backward, _thread.in_service
    _enter()
    _thread.backward, _thread.in_service = backward, False
    try:
        yield
    finally:
        _thread.backward, _thread.in_service = before
        _leave()


def _enter() -> None:
    global _steps, _native  # noqa: PLW0603 - torch's functions are globals too
    with _lock:
        _steps += 1
        if _steps == 1:
            number, will_run = torch._C._current_graph_task_id, torch._C._will_engine_execute_node
            can_checkpoint: Any = torch.autograd._is_checkpoint_valid
            _native = number, will_run, can_checkpoint
            _replace(
                lambda: told.number if (told := _thread.told()) else number(),
                lambda node: told.will_run(node) if (told := _thread.told()) else will_run(node),
                lambda: told.can_checkpoint if (told := _thread.told()) else can_checkpoint(),
            )


def _leave() -> None:
    global _steps  # noqa: PLW0603 - as above
    with _lock:
        _steps -= 1
        if _steps == 0 and _native is not None:
            _replace(*_native)


def _replace(
    number: Callable[[], int], will_run: Callable[[Any], bool], can_checkpoint: Callable[[], bool]
) -> None:
    torch._C._current_graph_task_id = number
    torch._C._will_engine_execute_node = will_run  # type: ignore[assignment]
    torch.autograd._is_checkpoint_valid = can_checkpoint
