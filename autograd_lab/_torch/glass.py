"""What the lab's own engine has to ask of torch's.

Relies on:

- ``torch.autograd._make_grads``: what each output's gradient starts as, checked, with torch's own messages. Without it
  they would have to be written again.
- ``torch._C._EngineBase.run_backward`` (``Variable._execution_engine``): see Note [Tensor hooks].
  ``torch.autograd.grad`` does the same with three times the work around it.
- ``torch._C._current_graph_task_id``, ``torch._C._will_engine_execute_node`` and
  ``torch.autograd._is_checkpoint_valid``: see Note [A backward's number].
- The place of one flag in a Python Function's node: see Note [Materialised gradients].
- ``Tensor._use_count``: whether anything in C++ holds a gradient. Without it each leaf's would have to be copied.
- ``Tensor._post_accumulate_grad_hooks``: no public way.

Note [Tensor hooks]
What ``Tensor.register_hook`` puts on an intermediate tensor lives in C++, on the tensor's node, and can't be listed.
But the native engine, asked for the gradient *of* a node's slots when given the gradients *of these same* slots, calls
the node's tensor hooks, captures what they return and stops there (``evaluate_function``: a node that isn't needed has
its tensor hooks called all the same). So the native engine itself runs just these hooks, for one node.
``Tensor.retain_grad`` is such a hook too, called after the others.

Note [Materialised gradients]
A Python Function gets zeros in place of undefined gradients, unless it called ``ctx.set_materialize_grads(False)``.
That flag can be set from Python but not read. Its place is found by setting it to both values on a node made for the
purpose: the one byte that changes is it. What the zeros look like is known in C++ only (``output_info``; an output that
is marked as not differentiable has no metadata either). So a node that has both gradients and undefined ones is started
in the native engine (which also runs its tensor hooks, see Note [Tensor hooks]) with an ``apply`` of its own that keeps
what it's called with and raises.

Note [A backward's number]
A checkpoint recomputes once in a backward, and hooks on several tensors wait for all of them in a backward; both tell
backwards apart by the number of their graph task, and ask it which nodes will run. The glass engine is no graph task.
While it takes a step, this thread is told the engine's own number, a negative one that torch never gives, and the
engine answers for its own nodes.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import GradientEdge, Node

from autograd_lab._torch import hooks as _hooks

Grads = tuple[torch.Tensor | None, ...]


def start_gradients(outputs: Sequence[torch.Tensor | GradientEdge], grad_tensors: Any) -> Grads:
    """Gives what each output's gradient starts as: what was passed, or one.

    Args:
        outputs: Tensors and edges.
        grad_tensors: As for ``torch.autograd.backward``.

    Returns:
        One for each output.

    Raises:
        RuntimeError: Shapes or dtypes don't fit, or an output that isn't a scalar has none; torch's own message.
    """
    given = torch.autograd._tensor_or_tensors_to_tuple(grad_tensors, len(outputs))
    starts: Any = tuple(outputs)  # torch's annotation has no mixed lists
    return tuple(torch.autograd._make_grads(starts, given, is_grads_batched=False))


# --- hooks on tensors ----------------------------------------------------------------


def through_tensor_hooks(node: Node, grads: Grads, *, create_graph: bool) -> Grads:
    """Calls the hooks on a node's tensors. See Note [Tensor hooks].

    Args:
        node: The node.
        grads: One for each of its slots. Where all are undefined no hook can be called.
        create_graph: Whether the hooks run with gradients enabled.

    Returns:
        What the hooks made of them.
    """
    slots = [slot for slot, grad in enumerate(grads) if grad is not None]
    if not slots:
        return grads
    edges = tuple(GradientEdge(node, slot) for slot in slots)
    with _thread.passing():
        captured = _start(edges, tuple(grads[slot] for slot in slots), edges, create_graph)
    changed = list(grads)
    for slot, grad in zip(slots, captured, strict=True):
        changed[slot] = grad
    return tuple(changed)


def _start(edges: Any, grads: Any, inputs: Any, create_graph: bool) -> Grads:
    engine: Any = torch.autograd.Variable._execution_engine
    return engine.run_backward(  # type: ignore[no-any-return]
        edges, grads, True, create_graph, inputs, allow_unreachable=True, accumulate_grad=False
    )


def retaining(nodes: Sequence[Node]) -> dict[Node, list[torch.Tensor]]:
    """Finds the tensors of which the user wanted ``.grad`` kept, by looking through all objects that are alive.

    Args:
        nodes: The nodes of a graph.

    Returns:
        Node → its tensors that retain their gradient.
    """
    wanted = set(nodes)
    types = {torch.Tensor, *_subclasses(torch.Tensor)}
    found: dict[Node, list[torch.Tensor]] = {}
    for tensor in [item for item in gc.get_objects() if type(item) in types]:
        if tensor.retains_grad and tensor.grad_fn in wanted:
            found.setdefault(tensor.grad_fn, []).append(tensor)
    return found


def _subclasses(parent: type) -> Iterator[type]:
    children: list[type] = type.__subclasses__(parent)
    for child in children:
        yield child
        yield from _subclasses(child)


@contextlib.contextmanager
def post_accumulate_hooks_put_aside(variables: Sequence[torch.Tensor]) -> Iterator[None]:
    """Gives a context in which no leaf has a post-accumulate-grad hook."""
    held = [(hooks, dict(hooks)) for leaf in variables if (hooks := leaf._post_accumulate_grad_hooks)]
    for hooks, _ in held:
        hooks.clear()
    try:
        yield
    finally:
        for hooks, were in held:
            hooks.update(were)


# --- Python Functions ----------------------------------------------------------------


def is_function(node: Node) -> bool:
    """Says whether a node is a Python Function's."""
    return isinstance(node, BackwardCFunction)


def materializes(node: Node) -> bool:
    """Says whether a Python Function wants zeros for undefined gradients. See Note [Materialised gradients]."""
    return ctypes.string_at(id(node), type(node).__basicsize__)[_place_of_flag()] != 0


@functools.cache
def _place_of_flag() -> int:
    class Probe(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            del ctx
            return x.clone()

    with torch.enable_grad(), torch.inference_mode(False):
        node: Any = Probe.apply(torch.zeros((), requires_grad=True)).grad_fn  # type: ignore[no-untyped-call]
    size = type(node).__basicsize__
    seen = []
    for flag in (False, True):
        node.materialize_grads = flag
        seen.append(ctypes.string_at(id(node), size))
    (place,) = [place for place in range(size) if (seen[0][place], seen[1][place]) == (0, 1)]
    return place


class _CaughtError(Exception):
    """Leaves the native engine with what it was about to run a Function with."""


def materialized(node: Any, grads: Grads, *, create_graph: bool) -> tuple[Grads, Grads]:
    """Gives the zeros that a Function gets for undefined gradients. See Note [Materialised gradients].

    Args:
        node: A Python Function's node, that materialises.
        grads: Not all of them undefined.
        create_graph: As for ``through_tensor_hooks``.

    Returns:
        The gradients as the tensors' hooks made them, undefined ones still so; and the same with zeros in.
    """
    caught: list[Grads] = []

    def catch(*arguments: torch.Tensor | None) -> None:
        caught.append(arguments)
        raise _CaughtError

    slots = [slot for slot, grad in enumerate(grads) if grad is not None]
    edges = tuple(GradientEdge(node, slot) for slot in slots)
    onward = tuple(GradientEdge(*edge) for edge in node.next_functions if edge[0] is not None)[:1]
    node.apply = catch  # shadows the method
    try:
        with _pre_hooks_put_aside(node), _thread.passing(), contextlib.suppress(_CaughtError):
            _start(edges, tuple(grads[slot] for slot in slots), onward, create_graph)
    finally:
        del node.apply
    (filled,) = caught
    return tuple(None if grads[slot] is None else grad for slot, grad in enumerate(filled)), filled


@contextlib.contextmanager
def _pre_hooks_put_aside(node: Node) -> Iterator[None]:
    with _hooks.reading_allowed:
        hooks: Any = _hooks.of_node(node)[0]
    were = dict(hooks)
    if were:
        hooks.clear()
    try:
        yield
    finally:
        if were:
            hooks.update(were)


# --- a leaf's gradient ---------------------------------------------------------------


def held_by_python_alone(tensor: torch.Tensor) -> bool:
    """Says whether nothing in C++ holds a tensor: no saved variable, no other node."""
    return tensor._use_count() == 1  # type: ignore[attr-defined,no-any-return]


# --- which backward it is ------------------------------------------------------------


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
    in_hooks = False

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """While the native engine only calls hooks for the glass engine."""
        before, self.in_hooks = self.in_hooks, True
        try:
            yield
        finally:
            self.in_hooks = before

    def told(self) -> Backward | None:
        """The glass engine's backward; ``None`` in a native one that was started inside it."""
        native_inside = _native is not None and _native[0]() != -1 and not self.in_hooks
        return None if native_inside else self.backward


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
    before = _thread.backward, _thread.in_hooks
    _enter()
    _thread.backward, _thread.in_hooks = backward, False
    try:
        yield
    finally:
        _thread.backward, _thread.in_hooks = before
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
