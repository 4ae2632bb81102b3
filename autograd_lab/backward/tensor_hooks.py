"""``call_tensor_pre_hooks``: the hooks on the tensors whose gradients flow into a node.

They come first of all hooks, see Note [The order of hooks] in ``call.py``; how they're found is in Note [Tensor hooks]
in ``_torch/glass.py``.

Note [Retained gradients]
``Tensor.retain_grad`` is such a hook, called after the others; it writes ``.grad``. A replay doesn't write any, so
what it would have written is put back, unless ``accumulate`` was asked for.

Note [Hooks of undefined gradients]
Where all of a node's gradients are undefined its hooks are called with ``None``, which they can't replace. The native
engine can't be asked to do that, so the hooks are called here: those of a leaf, and those of results that somebody
still holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from autograd_lab._torch import glass as _glass
from autograd_lab._torch import hooks as _hooks
from autograd_lab._torch import materialize as _materialize
from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch import tensors as _tensors
from autograd_lab.errors import GradientError

Grads = tuple[torch.Tensor | None, ...]


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

    def through(self, node: Any, grads: Grads) -> tuple[Grads, Grads | None]:
        """Has them see a node's gradients and change them.

        Args:
            node: The node.
            grads: One for each of its slots.

        Returns:
            What they made of it; and what a Python Function gets instead if some are undefined and it wants zeros.
        """
        if any(grad is None for grad in grads):
            return self._through_some(node, grads)
        if self._may_have(node):
            grads = self._called(node, grads)
        return grads, None

    def _may_have(self, node: Any) -> bool:
        """A leaf's own hooks are seen on the leaf; others may be there wherever a hook was ever registered."""
        if _nodes.type_of(node).kind == "accumulate":
            return bool(_hooks.of_tensor(_nodes.variable(node)))
        return self._writes_grad or not _hooks.none_yet()

    def _through_some(self, node: Any, grads: Grads) -> tuple[Grads, Grads | None]:
        """The same where some are undefined."""
        materializes = _materialize.is_function(node) and _materialize.materializes(node)
        if all(grad is None for grad in grads):
            self._call_with_none(node)
            return grads, _zeros(node) if materializes else None
        if materializes:
            with self._retained_put_back(node):
                return _materialize.materialized(node, grads, create_graph=self._create_graph)
        return self._called(node, grads), None

    def _called(self, node: Any, grads: Grads) -> Grads:
        if self._writes_grad or node not in self.alive():
            return _glass.through_tensor_hooks(node, grads, create_graph=self._create_graph)
        with self._retained_put_back(node):
            return _glass.through_tensor_hooks(node, grads, create_graph=self._create_graph)

    def _call_with_none(self, node: Any) -> None:
        """See Note [Hooks of undefined gradients]."""
        if _hooks.none_yet():
            return
        is_leaf = _nodes.type_of(node).kind == "accumulate"
        tensors = [_nodes.variable(node)] if is_leaf else self.alive().get(node, ())
        for hooks in {id(found): found for found in map(_hooks.of_tensor, tensors)}.values():
            for hook in tuple(hooks.values()):
                if hook(None) is not None:
                    raise GradientError("can't replace a None gradient with a non-None value")

    def alive(self) -> Mapping[Any, Sequence[torch.Tensor]]:
        """Node → its results that have hooks or retain their gradient, and that somebody holds."""
        if self._alive is None:
            with _tensors.no_torch_function():
                self._alive = _glass.alive(self._nodes)
        return self._alive

    @contextlib.contextmanager
    def _retained_put_back(self, node: Any) -> Iterator[None]:
        """See Note [Retained gradients]."""
        retaining = (
            [] if self._writes_grad else [one for one in self.alive().get(node, ()) if one.retains_grad]
        )
        held = [(tensor, tensor.grad) for tensor in retaining]
        for tensor, _ in held:
            tensor.grad = None
        try:
            yield
        finally:
            for tensor, grad in held:
                tensor.grad = grad


def _zeros(node: Any) -> Grads:
    """What a Python Function gets when all its gradients are undefined."""
    metadata = _nodes.input_metadata(node)
    return tuple(torch.zeros(slot.shape, dtype=slot.dtype, device=slot.device) for slot in metadata)
