"""What the lab's own engine has to ask of torch's.

Relies on:

- ``torch.autograd._make_grads``: what each output's gradient starts as, checked, with torch's own messages. Without it
  they would have to be written again.
- ``torch._C._EngineBase.run_backward`` (``Variable._execution_engine``): see Note [Tensor hooks].
  ``torch.autograd.grad`` does the same with three times the work around it.
- ``Tensor._use_count``: whether anything in C++ holds a gradient. Without it each leaf's would have to be copied.
- ``Tensor._post_accumulate_grad_hooks``: no public way.

Note [Tensor hooks]
What ``Tensor.register_hook`` puts on an intermediate tensor lives in C++, on the tensor's node, and can't be listed.
But the native engine, asked for the gradient *of* a node's slots when given the gradients *of these same* slots, calls
the node's tensor hooks, captures what they return and stops there (``evaluate_function``: a node that isn't needed has
its tensor hooks called all the same). So the native engine itself runs just these hooks, for one node.
``Tensor.retain_grad`` is such a hook too, called after the others. Where all gradients are undefined the native engine
can't be started; hooks of tensors that are still alive can be called without it.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.autograd.graph import GradientEdge, Node

from autograd_lab._torch import hooks as _hooks
from autograd_lab._torch import which_backward as _which_backward

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
        grads: One for each of its slots, not all of them undefined.
        create_graph: Whether the hooks run with gradients enabled.

    Returns:
        What the hooks made of them.
    """
    slots = [slot for slot, grad in enumerate(grads) if grad is not None]
    edges = tuple([GradientEdge(node, slot) for slot in slots])
    given = grads if len(slots) == len(grads) else tuple([grads[slot] for slot in slots])
    captured = started(edges, given, edges, create_graph=create_graph)
    if len(slots) == len(grads):
        return captured
    changed = list(grads)
    for slot, grad in zip(slots, captured, strict=True):
        changed[slot] = grad
    return tuple(changed)


def started(edges: Any, grads: Grads, inputs: Any, *, create_graph: bool) -> Grads:
    """Starts the native engine in the glass engine's service: what it calls takes itself to be in the latter.

    Args:
        edges: Where it starts.
        grads: The gradients that it starts with.
        inputs: The edges whose gradients are wanted.
        create_graph: Whether hooks run with gradients enabled.

    Returns:
        The gradients of ``inputs``.
    """
    engine: Any = torch.autograd.Variable._execution_engine
    with _which_backward.IN_SERVICE:
        return engine.run_backward(  # type: ignore[no-any-return]
            edges, grads, True, create_graph, inputs, allow_unreachable=True, accumulate_grad=False
        )


def alive(nodes: Sequence[Node]) -> dict[Node, list[torch.Tensor]]:
    """Finds the results of a graph's nodes on which there are hooks, by looking through all objects that are alive.

    Args:
        nodes: The nodes of a graph.

    Returns:
        Node → those of its results that somebody holds, and that have hooks or retain their gradient.
    """
    wanted = set(nodes)
    types = {torch.Tensor, *_subclasses(torch.Tensor)}
    found: dict[Node, list[torch.Tensor]] = {}
    for tensor in [item for item in gc.get_objects() if type(item) in types]:
        if _hooks.on_intermediate(tensor) and (node := tensor.grad_fn) in wanted:
            found.setdefault(node, []).append(tensor)
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


# --- a leaf's gradient ---------------------------------------------------------------


def held_by_python_alone(tensor: torch.Tensor) -> bool:
    """Says whether nothing in C++ holds a tensor: no saved variable, no other node."""
    return tensor._use_count() == 1  # type: ignore[attr-defined,no-any-return]
