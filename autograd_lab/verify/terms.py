"""How large the terms are whose sum a gradient is, whether or not they cancel.

Note [Terms]
A backward is linear in the gradients that go through it, so each gradient is a sum of terms, and its rounding is that
of the terms. They are measured by a second backward in which whatever a node sends on has its signs drawn at random,
element by element: the terms are as large as before, but no longer cancel. The gradient of a bias before a batch norm,
which is zero, comes out as large as the sum of so many random terms; the gradient of a weight whose inputs are tiny
comes out as tiny as it is. So the measure forgives what is left where terms cancel, and nothing where a gradient is
only small. The signs are drawn from a seed: the same each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from autograd_lab._torch import nodes as _nodes
from autograd_lab.capture.outputs import roots
from autograd_lab.capture.walk import Walk, walk
from autograd_lab.hold import Hold
from autograd_lab.verify.compare import largest


class Measured:
    """The sizes of all terms of one backward.

    Attributes:
        sent: For each node, by its index in the engine's order, and each of its slots, the largest term sent there.
        leaves: For each leaf, by its node's index, the largest number in its gradient if nothing cancelled.
        nodes: How many nodes there are.
    """

    def __init__(self, graph: Walk) -> None:
        self.sent: dict[tuple[int, int], float] = {}
        self.leaves: dict[int, float] = {}
        self.variables = {
            index: _nodes.variable(node)
            for index, node in enumerate(graph.nodes)
            if _nodes.type_of(node).kind == "accumulate"
        }
        self.nodes = len(graph.nodes)
        self._nexts = graph.nexts

    def note(self, index: int, grads: Sequence[torch.Tensor | None]) -> None:
        """Notes what a node sends on."""
        for slot, (grad, edge) in enumerate(zip(grads, self._nexts[index], strict=False)):
            size = largest([grad])
            self.sent[index, slot] = max(size, self.sent.get((index, slot), 0.0))
            if edge is not None:
                self.leaf_got(edge.node, size)

    def leaf_got(self, index: int, size: float) -> None:
        """Notes what came in at a leaf."""
        if index in self.variables:
            self.leaves[index] = max(size, self.leaves.get(index, 0.0))

    def leaf(self, leaf: torch.Tensor) -> float:
        """Returns the largest number in a leaf's gradient if nothing cancelled; 0.0 where none arrives."""
        return max(
            (self.leaves.get(index, 0.0) for index, each in self.variables.items() if each is leaf),
            default=0.0,
        )


def measure(outputs: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], seed: int = 0) -> Measured:
    """Runs a backward in which nothing cancels. See Note [Terms].

    Args:
        outputs: Tensors with a graph that no backward has freed; this one does.
        weights: The gradient of each.
        seed: What the signs are drawn from.

    Returns:
        The sizes.
    """
    graph = walk(roots(list(outputs))) if outputs else Walk([], [], [], ())
    found = Measured(graph)
    if not found.variables:
        return found
    signs = torch.Generator(device="cpu").manual_seed(seed)
    with Hold() as held:
        for index, node in enumerate(graph.nodes):
            if index not in found.variables:
                handle = node.register_hook(_sender(found, index, signs))
                held.add(handle.remove)
        weights = [_flipped(weight, signs) for weight in weights]
        leaves = list(found.variables.values())
        grads = torch.autograd.grad(outputs, leaves, weights, allow_unused=True)
    for index, grad in zip(found.variables, grads, strict=True):
        found.leaf_got(index, largest([grad]))
    return found


def _sender(found: Measured, index: int, signs: torch.Generator) -> Callable[..., Any]:
    def send(grad_inputs: Sequence[torch.Tensor | None], _: object) -> tuple[torch.Tensor | None, ...]:
        found.note(index, grad_inputs)
        return tuple(None if grad is None else _flipped(grad, signs) for grad in grad_inputs)

    return send


def _flipped(grad: torch.Tensor, signs: torch.Generator) -> torch.Tensor:
    """Returns a gradient with random signs; anything but an ordinary tensor is returned as it is."""
    if grad.layout is not torch.strided or grad.is_nested:
        return grad
    drawn = torch.randint(0, 2, grad.shape, generator=signs, device="cpu") * 2 - 1
    return grad.detach() * drawn.to(grad.device, grad.real.dtype if grad.is_complex() else grad.dtype)
