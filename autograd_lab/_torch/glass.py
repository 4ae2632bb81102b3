"""What the lab's own engine has to ask of torch's.

Relies on:

- ``torch.autograd._make_grads``: what each output's gradient starts as, checked, with torch's own messages. Without it
  they would have to be written again.
- ``torch._C._EngineBase.run_backward`` (``Variable._execution_engine``): see Note [Tensor hooks] and Note [A graph task
  of its own]. ``torch.autograd.grad`` does the same with three times the work around it.
- ``Tensor._use_count``: whether anything in C++ holds a gradient. Without it each leaf's would have to be copied.

Note [Tensor hooks]
What ``Tensor.register_hook`` puts on an intermediate tensor lives in C++, on the tensor's node, and can't be listed.
But the native engine, asked for the gradient *of* a node's slots when given the gradients *of these same* slots, calls
the node's tensor hooks, captures what they return and stops there (``evaluate_function``: a node that isn't needed has
its tensor hooks called all the same). So the native engine itself runs just these hooks, for one node.
Where all gradients are undefined the native engine can't be started; hooks of tensors that are still alive can be
called without it.

Note [A graph task of its own]
A node in C++ doesn't compute a gradient that nobody needs, and asks the graph task of the native backward that this
thread is in which are needed (``task_should_compute_output``). A hook that is called by ``torch.autograd.grad``, by
``backward(inputs=…)`` or for the glass engine is in one that knows nothing of the nodes of another graph: all that they
would return is undefined. So a glass engine that runs inside a native backward starts another one, of a single node,
that needs everything, and runs its node in there.
"""

from __future__ import annotations

import functools
import gc
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.autograd.graph import GradientEdge, Node

from autograd_lab._torch import (
    hooks as _hooks,
    settings as _settings,
    tensors as _tensors,
    which_backward as _which_backward,
)
from autograd_lab._torch.nodes import ACCUMULATE_GRAD
from autograd_lab._torch.retained import NothingRetained
from autograd_lab._torch.run_node import Grads
from autograd_lab.hold import Hold


def start_gradients(outputs: Sequence[torch.Tensor | GradientEdge], grad_tensors: Any) -> Grads:
    """Returns what each output's gradient starts as: what was passed, or one.

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


def through_tensor_hooks(node: Node, grads: Grads, *, create_graph: bool, writes_grad: bool) -> Grads:
    """Calls the hooks on a node's tensors. See Note [Tensor hooks].

    Args:
        node: The node.
        grads: One for each of its slots, not all of them undefined.
        create_graph: Whether the hooks run with gradients enabled.
        writes_grad: Whether tensors that retain their gradient get it.

    Returns:
        What the hooks made of them.
    """
    slots = [slot for slot, grad in enumerate(grads) if grad is not None]
    edges = tuple([GradientEdge(node, slot) for slot in slots])
    given = grads if len(slots) == len(grads) else tuple([grads[slot] for slot in slots])
    with Hold() as held:
        if not writes_grad and type(node) is not ACCUMULATE_GRAD:
            NothingRetained(create_graph=create_graph).put_on(held)
        captured: Grads = _which_backward.native_engine().run_backward(
            edges, given, True, create_graph, edges, allow_unreachable=True, accumulate_grad=False
        )
    if len(slots) == len(grads):
        return captured
    changed = list(grads)
    for slot, grad in zip(slots, captured, strict=True):
        changed[slot] = grad
    return tuple(changed)


def alive(nodes: Sequence[Node]) -> dict[Node, list[torch.Tensor]]:
    """Finds the results of a graph's nodes that have hooks or retain their gradient, and that somebody holds.

    Looks through all objects that are alive. That takes as long as a small model's step, and other threads' unfinished
    tuples are among the objects, which mustn't be held while such a thread runs. So it's done only where nothing else
    tells, and in one call, without the interpreter in between.

    Args:
        nodes: The nodes of a graph.

    Returns:
        Node → such results.
    """
    types = frozenset({torch.Tensor, *_subclasses(torch.Tensor)})
    objects, the_same = itertools.tee(itertools.chain.from_iterable(map(gc.get_objects, range(3))))
    tensors = [*itertools.compress(objects, map(types.__contains__, map(type, the_same)))]
    wanted = set(nodes)
    found: dict[Node, list[torch.Tensor]] = {}
    with torch._C.DisableTorchFunction():
        for tensor in tensors:
            if _hooks.on_intermediate(tensor) and (node := tensor.grad_fn) in wanted:
                found.setdefault(node, []).append(tensor)
    return found


def _subclasses(parent: type) -> Iterator[type]:
    children: list[type] = type.__subclasses__(parent)
    for child in children:
        yield child
        yield from _subclasses(child)


# --- a node inside a native backward ---------------------------------------------------


class _Room(torch.autograd.Function):
    """See Note [A graph task of its own]."""

    @staticmethod
    def forward(ctx: Any, start: torch.Tensor, work: Callable[[], object]) -> torch.Tensor:
        ctx.work = work
        return start.clone()

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        ctx.work()
        return None, None


def in_a_task_of_its_own(work: Callable[[], Grads], *, create_graph: bool) -> Grads:
    """Does something where a native backward doesn't notice. See Note [A graph task of its own].

    Args:
        work: Runs a node.
        create_graph: Whether gradients are enabled.

    Returns:
        What the work returned.
    """
    results: list[Grads] = []
    anomaly = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    with Hold() as held:
        held.add(functools.partial(torch.set_anomaly_enabled, *anomaly))
        torch.set_anomaly_enabled(False)  # the room's own node is nobody's business

        def inside() -> None:
            torch.set_anomaly_enabled(*anomaly)
            torch._C._set_grad_enabled(create_graph)  # told to the engine, it would warn of a cycle
            try:
                results.append(work())
            finally:
                torch.set_anomaly_enabled(False)

        with _settings.grad_mode(True), _settings.not_inference(), _tensors.unseen():
            start = torch.zeros((), requires_grad=True)
            edge = GradientEdge(_Room.apply(start, inside).grad_fn, 0)  # type: ignore[no-untyped-call]
            grad = torch.ones(())
        _which_backward.native_engine().run_backward(
            (edge,), (grad,), False, False, (), allow_unreachable=True, accumulate_grad=True
        )
    return results[0]


def put_post_accumulate_hooks_aside(held: Hold, variables: Iterable[torch.Tensor]) -> None:
    """Has no leaf have a post-accumulate-grad hook.

    Args:
        held: For how long.
        variables: The leaves.
    """
    for leaf in variables:
        hooks: Any = _hooks.after_accumulation(leaf)
        if hooks:
            held.add(functools.partial(hooks.update, dict(hooks)))
            hooks.clear()


# --- a leaf's gradient ---------------------------------------------------------------


def held_by_python_alone(tensor: torch.Tensor) -> bool:
    """Returns whether nothing in C++ holds a tensor: no saved variable, no other node."""
    return tensor._use_count() == 1  # type: ignore[attr-defined,no-any-return]
