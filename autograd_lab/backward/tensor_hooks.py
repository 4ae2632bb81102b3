"""``call_tensor_pre_hooks``: the hooks on the tensors whose gradients flow into a node.

They come first of all hooks, see Note [The order of hooks] in ``call.py``; how they're found is in Note [Tensor hooks]
in ``_torch/glass.py``.

``Tensor.retain_grad`` is one of them too, and called after the others. It writes ``.grad``, which a replay leaves
alone: see Note [Retained gradients] in ``_torch/retained.py``.

Note [Hooks of undefined gradients]
Where all of a node's gradients are undefined its hooks are called with ``None``, which they can't replace. The native
engine can't be asked to do that, so the hooks are called here: those of a leaf, and those of results that somebody
still holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from autograd_lab._torch import glass as _glass, hooks as _hooks, nodes as _nodes
from autograd_lab._torch.run_node import Grads
from autograd_lab.errors import GradientError


class TensorHooks:
    """The hooks on the tensors of a graph.

    Args:
        nodes: The graph's live nodes.
        create_graph: Whether hooks run with gradients enabled.
        writes_grad: Whether ``.grad`` is written.
    """

    def __init__(self, nodes: Sequence[Any], *, create_graph: bool, writes_grad: bool) -> None:
        self._nodes = nodes
        self._create_graph = create_graph
        self._writes_grad = writes_grad
        self._alive: dict[Any, list[torch.Tensor]] | None = None

    def through(self, node: Any, grads: Grads) -> Grads:
        """Has them see a C++ node's gradients and change them.

        Args:
            node: The node.
            grads: One for each of its slots.

        Returns:
            What they made of it.
        """
        if all(grad is None for grad in grads):
            self.called_with_none(node)
            return grads
        if not self._may_have(node):
            return grads
        return _glass.through_tensor_hooks(
            node, grads, create_graph=self._create_graph, writes_grad=self._writes_grad
        )

    def _may_have(self, node: Any) -> bool:
        """A leaf's own hooks are seen on the leaf; others may be there wherever a hook was ever registered."""
        if _nodes.type_of(node).kind == "accumulate":
            return bool(_hooks.of_tensor(_nodes.variable(node)))
        return self._writes_grad or not _hooks.none_yet()

    def called_with_none(self, node: Any) -> Sequence[_hooks.Hooks]:
        """Calls the hooks on a node whose gradients are all undefined. See Note [Hooks of undefined gradients].

        Returns:
            Those hooks, by tensor.
        """
        if _hooks.none_yet():
            return ()
        is_leaf = _nodes.type_of(node).kind == "accumulate"
        tensors = [_nodes.variable(node)] if is_leaf else self.alive().get(node, ())
        known = [*{id(found): found for found in map(_hooks.of_tensor, tensors) if found}.values()]
        for hooks in known:
            for hook in tuple(hooks.values()):
                if hook(None) is not None:
                    raise GradientError("can't replace a None gradient with a non-None value")
        return known

    def alive(self) -> Mapping[Any, Sequence[torch.Tensor]]:
        """Node → its results that have hooks or retain their gradient, and that somebody holds."""
        if self._alive is None:
            self._alive = _glass.alive(self._nodes)
        return self._alive
