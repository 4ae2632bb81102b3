"""What flowed through modules, and how much lies in them, in numbers.

Relies on the records. Promises numbers that were counted: a size that isn't known (a symbolic one)
leaves the sum out, and what wasn't measured isn't there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from autograd_lab.records import GradStats, Graph, Node, Step


class Ways:
    """The edges that lead to each part of a graph and away from it, as ``(node, slot)``, by the part's index.

    Args:
        graph: The graph.
        part_of: For each node the index of its part.
    """

    def __init__(self, graph: Graph, part_of: Sequence[int]) -> None:
        self.came: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.went: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for node, slot, edge in graph.edges:
            tail, head = part_of[node], part_of[edge.node]
            if tail != head:
                self.went[tail].append((node, slot))
                self.came[head].append((node, slot))


def came_in(nodes: Iterable[int], came: Iterable[tuple[int, int]], steps: Mapping[int, Step]) -> float | None:
    """Returns the norm of all that came into a part.

    Args:
        nodes: The part's nodes.
        came: ``(node, slot)`` of each edge that leads into it.
        steps: A node's id → its step.

    Returns:
        The norm; ``None`` where nothing was measured, or a share of it can't be told from what other nodes of the part
        sent.
    """
    started = started_with(steps[i] for i in nodes if i in steps)
    return None if started is None else together([*gradients_of(came, steps), *started])


def gradients_of(edges: Iterable[tuple[int, int]], steps: Mapping[int, Step]) -> list[GradStats]:
    """Returns the gradients that went along edges.

    Args:
        edges: ``(node, slot)`` of each.
        steps: A node's id → its step.

    Returns:
        Those that were measured.
    """
    found = []
    for node, slot in edges:
        inputs = steps[node].grad_inputs if node in steps else ()
        stats = inputs[slot] if slot < len(inputs) else None
        if stats is not None:
            found.append(stats)
    return found


def together(gradients: Iterable[GradStats]) -> float | None:
    """Returns the norm of gradients laid side by side.

    Args:
        gradients: The gradients.

    Returns:
        The root of the sum of their norms' squares; ``None`` where no norm was measured, or one couldn't be.

    Example:
        >>> from autograd_lab.records import TensorMeta
        >>> meta = TensorMeta((), "float32", "cpu")
        >>> together([GradStats(meta, 3.0), GradStats(meta, 4.0)]), together([])
        (5.0, None)
    """
    stats_of_all = list(gradients)
    if any(stats.unmeasured is not None for stats in stats_of_all):
        return None
    norms = [stats.norm for stats in stats_of_all if stats.norm is not None]
    return math.hypot(*norms) if norms else None


def elements(leaves: Iterable[Node]) -> int | None:
    """Counts the elements of leaves.

    Args:
        leaves: ``AccumulateGrad`` nodes.

    Returns:
        The number; ``None`` where a shape isn't known.
    """
    total = 0
    for leaf in leaves:
        shape = leaf.grad_outputs[0].shape if leaf.grad_outputs else None
        if shape is None:
            return None
        sizes = [size for size in shape if isinstance(size, int)]
        if len(sizes) < len(shape):
            return None
        total += math.prod(sizes)
    return total


def started_with(ran: Iterable[Step]) -> list[GradStats] | None:
    """What the backward was started with, where it entered these nodes; ``None`` where that can't be told.

    It wasn't measured by itself, but where nothing else came into a slot, it's what the slot got.
    """
    found = []
    for step in ran:
        slots = [arrived.input_nr for arrived in step.contributions]
        for arrived in step.contributions:
            if arrived.source is None:
                stats = (
                    step.grad_outputs[arrived.input_nr] if arrived.input_nr < len(step.grad_outputs) else None
                )
                if stats is None or slots.count(arrived.input_nr) > 1:
                    return None
                found.append(stats)
    return found
