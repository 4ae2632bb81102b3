"""Which leaf of one run of a step is which of another, where the step makes some of them anew.

Note [Leaves without a name]
A step may make its model, or a weight, each time that it's called. Such leaves have no name of the user's, and those
that a capture gives count them in the order of the graph, which isn't the same with rules and without. But both runs
draw the same random numbers. So a leaf is the other run's leaf with the same numbers; where several have the same
(biases of zeros), the one that the same calls of the forward use; and of those that one call uses, the one in the same
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from autograd_lab._torch import nodes as _nodes
from autograd_lab.backward.bits import same_bits
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import NameBook
from autograd_lab.records import Graph


class UnnamedLeaf(NamedTuple):
    """A leaf that the user gave no name.

    Attributes:
        name: What the watch calls it.
        tensor: The leaf.
        calls: The numbers of the calls of the forward that use it.
    """

    name: str
    tensor: torch.Tensor
    calls: tuple[int, ...]


def unnamed(
    outputs: Sequence[torch.Tensor],
    seen: Graph,
    model: torch.nn.Module | None,
    names: Mapping[str, torch.Tensor],
) -> list[UnnamedLeaf]:
    """Returns the leaves of a step that neither a model nor names call anything.

    Args:
        outputs: What the step returned.
        seen: Their graph as a watch saw it.
        model: The model that it returned, if it did.
        names: Further tensors by name.
    """
    book = NameBook(model, names)
    _, nodes = live(outputs)
    calls: dict[int, list[int]] = {}
    for node in seen.nodes:
        for edge in node.next:
            if edge is not None and node.call is not None:
                calls.setdefault(edge.node, []).append(node.call.number)
    found = []
    for leaf in seen.leaves:
        tensor = _nodes.variable(nodes[leaf.id])
        if not book.of_tensor(tensor):
            found.append(UnnamedLeaf(leaf.variable or "leaf", tensor, tuple(sorted(calls.get(leaf.id, ())))))
    return found


def by_name(leaves: Iterable[UnnamedLeaf], taken: Iterable[str]) -> dict[str, UnnamedLeaf]:
    """Returns leaves by a name for each that no other tensor has.

    Args:
        leaves: The leaves.
        taken: Names of other tensors.
    """
    known = set(taken)
    made: dict[str, UnnamedLeaf] = {}
    for leaf in leaves:
        name = leaf.name
        while name in known or name in made:
            name += "'"
        made[name] = leaf
    return made


class Paired(NamedTuple):
    """The leaves of one run beside those of another.

    Attributes:
        leaves: Those of the one, under the names of those that they are in the other.
        strange: Whether both have leaves that the other one hasn't.
    """

    leaves: list[UnnamedLeaf]
    strange: bool


def paired(leaves: Iterable[UnnamedLeaf], others: Mapping[str, UnnamedLeaf]) -> Paired:
    """Finds which leaf of one run is which of another. See Note [Leaves without a name].

    Args:
        leaves: The leaves of one run.
        others: Those of the other run, by name.
    """
    left = dict(others)
    found, alone = [], False
    for leaf in leaves:
        same = [name for name, other in left.items() if _are_alike(leaf.tensor, other.tensor)]
        same = [name for name in same if left[name].calls == leaf.calls] or same
        if same:
            del left[same[0]]
        found.append(leaf._replace(name=same[0]) if same else leaf)
        alone = alone or not same
    return Paired(found, alone and bool(left))


def _are_alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one is other or (one.shape == other.shape and same_bits(one, other))
