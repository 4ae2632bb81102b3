"""``call_function``: one node's turn, with its hooks.

``torch/csrc/autograd/engine.cpp`` (``call_function``), ``python_hook.cpp`` and ``python_function.cpp``.

Note [The order of hooks]
Each hook sees what the one before it made of the gradients; ``None`` changes nothing.

1. ``Tensor.register_hook``, in the order of registration; each hook sees the slot that is its tensor.
2. ``Tensor.retain_grad``: ``.grad`` of a tensor that is no leaf is what the hooks before have made of it.
3. ``Node.register_prehook``: they see all slots.
4. The node itself: its formula. For a leaf's node that's the writing of ``.grad``, and after it
   ``Tensor.register_post_accumulate_grad_hook``.
5. What the node returned is made to fit the receiving slots (``receive.py``).
6. ``Node.register_hook``: they see that, and what came in.

A hook on a leaf tensor belongs to the leaf's node: it sees the sum of what all users of the leaf sent. (In torch's
documentation: Autograd mechanics, Backward Hooks execution.)

Note [Anomaly mode]
Under ``torch.autograd.set_detect_anomaly`` a backward stops at the first node that returned NaN, after its hooks. (The
native engine also prints where in the forward the node was made.)

Note [What a Python Function returns]
A C++ node returns one gradient for each of its edges. A Python Function returns one for each argument of its
``forward``, numbers and flags included, and has edges for the tensors only, those too that need no gradient: what it
returns for such a one reaches the node's hooks and goes no further. More is let pass if it's ``None``. Which arguments
were tensors is known to torch alone, so torch runs a Function's node: Note [A Function's turn] in
``_torch/python_function.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from autograd_lab._torch import (
    glass as _glass,
    hooks as _hooks,
    nodes as _nodes,
    python_function as _python_function,
    saved as _saved,
    settings as _settings,
    tensors as _tensors,
    which_backward as _which_backward,
)
from autograd_lab._torch.hooks import Hooks
from autograd_lab._torch.run_node import Grads, run_node
from autograd_lab.errors import GradientError, ReleasedError
from autograd_lab.records import Graph


class NodeHooks:
    """The hooks on a graph's nodes, looked for only where there can be any.

    Torch can't list them, and looking takes longer than running a small formula. But the capture has looked at every
    node, and every registration is counted: as long as there was none since, the other nodes still have no hooks.

    Args:
        registered: How many hooks had been registered before the capture.
        graph: What was captured.
    """

    def __init__(self, registered: int, graph: Graph) -> None:
        self._registered = registered
        self._hooked = {node.id for node in graph.nodes if node.hooks}

    def before(self, node_id: int, node: Any) -> Hooks:
        """Returns a node's pre-hooks."""
        return _hooks.pre_hooks(node) if self._may_have(node_id) else {}

    def after(self, node_id: int, node: Any) -> Hooks:
        """Returns a node's post-hooks."""
        return _hooks.post_hooks(node) if self._may_have(node_id) else {}

    def _may_have(self, node_id: int) -> bool:
        return node_id in self._hooked or _hooks.registered() != self._registered


def through(hooks: Hooks, grads: Grads, *others: Grads) -> Grads:
    """Passes the gradients through the hooks, each of which may change them.

    Args:
        hooks: The node's pre-hooks or post-hooks.
        grads: What they may change.
        others: What they see besides.

    Returns:
        What they made of it.

    Raises:
        GradientError: A hook returned something else than gradients like these.
    """
    for hook in tuple(hooks.values()):
        result = hook(grads, *others)
        if result is not None:
            changed = result if isinstance(result, tuple) else (result,)
            _check_hook(hook, grads, changed)
            grads = changed
    return grads


def _check_hook(hook: Callable[..., Any], before: Sequence[Any], after: Sequence[Any]) -> None:
    name = getattr(hook, "__name__", "<unknown>")
    if len(before) != len(after):
        raise GradientError(
            f"hook '{name}' has returned an incorrect number of values (got {len(after)}, but expected {len(before)})"
        )
    for old, new in zip(before, after, strict=True):
        if new is None or new is old:
            continue
        if old is None:
            raise GradientError("can't replace a None gradient with a non-None value")
        if not isinstance(new, torch.Tensor):
            raise TypeError(f"expected Variable, but hook returned '{type(new).__name__}'")
        if (old.dtype, old.device, old.layout) != (new.dtype, new.device, new.layout):
            raise GradientError(
                f"hook '{name}' has changed the type of value (was {old.type()} got {new.type()})"
            )
        if not old.is_nested and old.shape != new.shape:
            raise GradientError(f"hook '{name}' has changed the size of value")


def run(node: Any, grads: Grads, *, create_graph: bool) -> Grads:
    """Runs a C++ node, on its own even inside a native backward. See Note [A graph task of its own] in ``glass.py``.

    Args:
        node: Any node but an ``AccumulateGrad`` or a Python Function's.
        grads: One for each slot.
        create_graph: Whether gradients are enabled.

    Returns:
        One for each edge.

    Raises:
        ReleasedError: An earlier backward freed what it saved, or it can run only once.
    """
    try:
        if _which_backward.native_number() == -1:
            return run_node(node, grads)
        return _glass.in_a_task_of_its_own(lambda: run_node(node, grads), create_graph=create_graph)
    except RuntimeError as error:
        say_plainly(node, error)
        raise


def run_function(
    node: Any,
    grads: Grads,
    slot: int,
    known: Sequence[Hooks],
    *,
    create_graph: bool,
    writes_grad: bool,
    begins: _python_function.NodeBegins,
) -> _python_function.Ran:
    """Runs a Python Function's node with the hooks before it. See Note [What a Python Function returns].

    Args:
        node: The node.
        grads: One for each slot.
        slot: One that something was sent to.
        known: As for ``_torch.python_function.run``.
        create_graph: Whether gradients are enabled.
        writes_grad: Whether tensors that retain their gradient get it.
        begins: As for ``_torch.python_function.run``.

    Returns:
        What it did.

    Raises:
        ReleasedError: An earlier backward freed what it saved, or it can run only once.
        GradientError: It returned too few or too many, one for an argument that is no tensor, or one that can't be made
            to fit.
    """
    try:
        return _python_function.run(
            node, grads, slot, known, create_graph=create_graph, writes_grad=writes_grad, begins=begins
        )
    except _python_function.RefusedError as error:
        raise GradientError(str(error)) from None
    except RuntimeError as error:
        say_plainly(node, error)
        raise


def say_plainly(node: Any | None, error: RuntimeError) -> None:
    """Raises a plain error, which names the node, where torch's says that it can't run again.

    Args:
        node: The node; ``None`` where it isn't known.
        error: The error. One of the user's own, of whatever class, is none of torch's.

    Raises:
        ReleasedError: In the place of the error.
    """
    if type(error) is not RuntimeError:
        return
    name, text = "a node" if node is None else _nodes.name(node), str(error)
    if _saved.says_released(error) and node is not None:
        raise ReleasedError(
            f"{name} can't run: an earlier backward freed what it had saved. Pass retain_graph=True to that one. "
            f"Torch says: {text}"
        ) from error
    if "donated buffer" in text:
        raise ReleasedError(
            f"{name} can run only once: torch.compile has its backward reuse the memory of what it saved (donated "
            "buffers). Import torch._functorch.config and set torch._functorch.config.donated_buffer = False before "
            "the function is compiled"
        ) from error


def refuse_nan(name: str, grads: Grads) -> None:
    """Raises, in anomaly mode, if a node returned NaN. See Note [Anomaly mode]."""
    if not (torch.is_anomaly_enabled() and torch.is_anomaly_check_nan_enabled()):
        return
    for index, grad in enumerate(grads):
        with _settings.grad_mode(False), _tensors.unseen():
            elements = None if grad is None else _tensors.elements(grad)
            if elements is not None and bool(torch.isnan(elements).any()):
                raise GradientError(f"Function '{name}' returned nan values in its {index}th output.")
