"""The engine's front door, and which backward is going on.

Relies on

- ``torch.autograd._engine_run_backward``: the one function through which ``Tensor.backward``,
  ``torch.autograd.backward`` and ``torch.autograd.grad`` all start the engine, however the user imported them. Torch
  itself replaces it in the same way (``torch/compiler/__init__.py``, ``_patch_engine_backward``). Without it, each of
  the three would have to be replaced, and a ``from torch.autograd import grad`` of the user's would slip by.
- ``torch._C._current_autograd_node()``: the node that the calling thread runs, from before its tensors' hooks on.
  Without it, it couldn't be told in whose turn a hook started another backward.
- ``torch._C._current_graph_task_id()``: which backward the calling thread works for, −1 outside of one. Without it, a
  backward that a hook starts on the same graph couldn't be told from the one that it's in.
- ``torch._C._stash_obj_in_tls``, ``_is_key_in_tls``, ``_get_obj_in_tls`` and ``_remove_obj_from_tls``: what a thread
  keeps for itself, which a backward takes along into every thread that it runs in. ``_engine_run_backward`` hands its
  own context on in the same way. Without them, one thread's backward couldn't be told from another's on the same graph.
- ``torch._C._are_functorch_transforms_active()``: whether a ``torch.func`` transform is running. Without it, the
  transforms' own backwards, whose tensors are wrappers without numbers, would be taken for the user's. See Note [What
  isn't asked].
- ``torch._C._functorch.is_legacy_batchedtensor``: whether a gradient is a batch of them, made by torch's older ``vmap``
  for ``is_grads_batched=True``. Without it, hooks would ask such a tensor for what it can't do.
- ``torch._guards.TracingContext``: whether ``torch.compile`` is at work, which traces a backward of its own. Without
  it, that one would be taken for the user's too.

Note [What isn't asked]
``torch._C._functorch.peek_interpreter_stack()`` tells of transforms too. But the first call of anything that reads the
stack of transforms makes one for the thread, for good, and torch's engine copies it twice for each node that it runs.
On a small model that is some percent of a step.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch._guards import TracingContext

from autograd_lab.hold import Hold


class Start(NamedTuple):
    """What the engine was started with: the arguments of ``_engine_run_backward``.

    Attributes:
        outputs: Tensors and ``GradientEdge``s.
        grad_tensors: What each output's gradient starts as.
        create_graph: Whether a graph of the backward is to be built.
        keeps_graph: Whether the graph is still there afterwards.
        name: Which of torch's functions started it: ``"torch.autograd.backward"`` or ``"torch.autograd.grad"``.
    """

    outputs: Sequence[Any]
    grad_tensors: Sequence[torch.Tensor | None]
    create_graph: bool
    keeps_graph: bool
    name: str


RunEngine = Callable[[], Any]
"""Runs the engine, as if nobody were watching."""

Visitor = Callable[[Start, RunEngine], Any]
"""Is called in the engine's place; returns what running it returned."""


class Visit:
    """A visitor's place at the door.

    Attributes:
        visitor: See ``Visitor``.
        passed: Is called in the visitor's place for each outermost backward, once there is nothing to visit for. While
            every visitor has one, a backward starts as if there were no door. ``None`` where the visitor is called.
        transformed: How many backwards of transforms started, for which the visitor isn't called.
    """

    __slots__ = ("passed", "transformed", "visitor")

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.passed: Callable[[], object] | None = None
        self.transformed = 0


class _Door:
    """What stands in the place of torch's function while there are visitors."""

    def __init__(self, native: Callable[..., Any]) -> None:
        self.native = native
        self.visits: tuple[Visit, ...] = ()
        self.function = functools.partial(_visited, self)


_lock = threading.RLock()
_door: _Door | None = None


def visit(held: Hold, visitor: Visitor) -> Visit:
    """Has a visitor called whenever a backward starts, in any thread.

    Several visitors are called inside one another, the last to come outermost. Each sees every start but those of
    transforms: see ``Visit.transformed``.

    Args:
        held: Takes the visitor away. With the last one torch's own function is back.
        visitor: See ``Visitor``.

    Returns:
        The visitor's place.
    """
    visit = Visit(visitor)
    held.add(functools.partial(_leave, visit))
    with _lock:
        door = _open()
        door.visits = (*door.visits, visit)
        if torch.autograd._engine_run_backward is door.native:  # type: ignore[attr-defined]
            torch.autograd._engine_run_backward = door.function  # type: ignore[attr-defined]
    return visit


def _open() -> _Door:
    """Returns the door in use, or a new one before whatever is there."""
    global _door  # noqa: PLW0603 - torch's function is a global too
    present: Callable[..., Any] = torch.autograd._engine_run_backward  # type: ignore[attr-defined]
    if _door is None or (not _door.visits and present is not _door.function):
        _door = _Door(present)
    return _door


def _leave(visit: Visit) -> None:
    with _lock:
        if _door is None:
            return
        _door.visits = tuple(each for each in _door.visits if each is not visit)
        if not _door.visits and torch.autograd._engine_run_backward is _door.function:  # type: ignore[attr-defined]
            torch.autograd._engine_run_backward = _door.native  # type: ignore[attr-defined]


def _visited(door: _Door, t_outputs: Any, *args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    visits = door.visits
    for visit in visits:
        if visit.passed is None:
            break
    else:
        if any(map(is_batched, args[0])) or in_transform():
            _count_transformed(visits)
        elif current_backward() == NONE:
            for visit in visits:
                passed = visit.passed
                if passed is not None:  # another thread may have changed its mind
                    passed()
        return door.native(t_outputs, *args, **kwargs)
    grad_tensors, retain_graph, create_graph, *_ = args

    run: RunEngine = functools.partial(door.native, t_outputs, *args, **kwargs)
    if any(map(is_batched, t_outputs)) or any(map(is_batched, grad_tensors)) or in_transform():
        _count_transformed(visits)
        return run()
    name = "torch.autograd.backward" if kwargs["accumulate_grad"] else "torch.autograd.grad"
    start = Start(t_outputs, grad_tensors, bool(create_graph), bool(retain_graph), name)
    for visit in visits:
        run = functools.partial(
            visit.visitor, start, run
        )  # not a function: its frame would stay while the engine runs
    return run()


def _count_transformed(visits: Sequence[Visit]) -> None:
    if TracingContext.try_get() is None:  # what is compiled isn't run
        with _lock:
            for visit in visits:
                visit.transformed += 1


def is_batched(tensor: Any) -> bool:
    """Returns whether ``is_grads_batched=True`` or ``gradcheck(check_batched_grad=True)`` made a tensor."""
    return isinstance(tensor, torch.Tensor) and _is_legacy_batched(tensor)


_is_legacy_batched: Callable[[torch.Tensor], bool] = torch._C._functorch.is_legacy_batchedtensor


NONE = -1
"""No backward."""


current_backward: Callable[[], int] = torch._C._current_graph_task_id
"""Returns the number of the backward that this thread works for, torch's *graph task*; ``NONE`` outside of one.

Torch's function itself, since hooks ask it twice for each node.
"""


current_node: Callable[[], torch.autograd.graph.Node | None] = torch._C._current_autograd_node
"""Returns the node that this thread runs, whose tensors' hooks may be all that has run yet; ``None`` outside.

The native engine's node, also while the glass engine takes a step in its turn.
"""


_MARKS = "autograd_lab: whose backward this is"


def mark(held: Hold, mark: object) -> None:
    """Puts a mark on every backward that starts from now on: what this thread starts, and what their hooks start.

    Args:
        held: Takes it away.
        mark: Anything; it's told by its identity.
    """
    held.add(functools.partial(_unmark, mark))
    torch._C._stash_obj_in_tls(_MARKS, (*_marks(), mark))


def _unmark(mark: object) -> None:
    others = tuple(each for each in _marks() if each is not mark)
    if others:
        torch._C._stash_obj_in_tls(_MARKS, others)
    elif torch._C._is_key_in_tls(_MARKS):
        torch._C._remove_obj_from_tls(_MARKS)


def has_mark(mark: object) -> bool:
    """Whether the backward that this thread works for has a mark."""
    return any(each is mark for each in _marks())


def _marks() -> tuple[object, ...]:
    if not torch._C._is_key_in_tls(_MARKS):
        return ()
    found: tuple[object, ...] = torch._C._get_obj_in_tls(_MARKS)
    return found


def in_transform() -> bool:
    """Whether this thread is in a ``torch.func`` transform (``grad``, ``vmap``, ``jvp``), or is compiling."""
    return torch._C._are_functorch_transforms_active() or TracingContext.try_get() is not None
