"""Input buffers: where a node's incoming gradients are summed.

``torch/csrc/autograd/input_buffer.cpp``.

Note [Input buffers]
A node has one place for each of its ``grad_outputs``. The first gradient that arrives there is kept as it is, and each
further one is added to what is there: ``old + new``, in the order of arrival, which is the order in which the senders
ran. An undefined gradient adds nothing, but is no longer awaited.

Note [Sparse sums]
Torch can add a sparse gradient to a dense one only as dense + sparse. So where the old sum is sparse (COO or CSR) the
engine computes ``new + old``, also if the new one is sparse too: that decides in which order a sparse sum stores its
summands. Where a graph of the backward is built it's ``old + new`` in every case, and a sparse sum plus a dense
gradient is refused.

Note [Adding in place]
The C++ engine adds in place where nobody else holds the old sum and no graph of the backward is built. That saves
memory and changes no bit. Here each sum is a new tensor, so that what has been seen of a buffer stays as it was.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from autograd_lab._torch import tensors as _tensors
from autograd_lab.records import Contribution


class Buffer(NamedTuple):
    """An input buffer, as it is at one moment.

    Attributes:
        grads: For each slot, the sum of what has arrived; ``None`` where nothing has.
        arrived: What has arrived, in order.
        awaited: How many gradients are still to come.

    Example:
        >>> Buffer((None,), (), 2).awaited
        2
    """

    grads: tuple[torch.Tensor | None, ...]
    arrived: tuple[Contribution, ...]
    awaited: int


class InputBuffer:
    """A node's buffer while it fills."""

    __slots__ = ("arrived", "grads")

    def __init__(self, slots: int) -> None:
        self.grads: list[torch.Tensor | None] = [None] * slots
        self.arrived: list[Contribution] = []

    def add(self, grad: torch.Tensor | None, contribution: Contribution) -> None:
        """Adds a gradient. See Note [Input buffers]."""
        self.arrived.append(contribution)
        if grad is not None:
            old = self.grads[contribution.input_nr]
            self.grads[contribution.input_nr] = grad if old is None else _sum(old, grad)

    def taken_out(self) -> tuple[torch.Tensor | None, ...]:
        """Returns the sums and lets go of them: a leaf can't steal a gradient that is held."""
        grads = tuple(self.grads)
        self.grads.clear()
        return grads


def _sum(old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """See Note [Sparse sums]. It's added as in C++, where no subclass's ``__torch_function__`` is called."""
    with _tensors.no_torch_function():
        if not torch.is_grad_enabled() and _tensors.layout(old) in (torch.sparse_coo, torch.sparse_csr):
            return torch.add(new, old)
        return torch.add(old, new)
