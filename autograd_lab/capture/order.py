"""The order in which the native engine would run a graph.

The engine counts, for every node, the edges that lead to it (its *dependencies*). A node whose dependencies
have all been met goes into the *ready queue*, from which the highest ``sequence_nr`` is taken
(``torch/csrc/autograd/engine.cpp``: ``compute_dependencies``, ``evaluate_function``, ``ReadyQueue``). Nothing in
that depends on a gradient's value, so the order can be told without running anything. Where a graph spans
several devices, each device has a queue and a thread of its own, and this is the order as if they shared one.

Note [Equal sequence numbers]
Every ``AccumulateGrad`` has the same ``sequence_nr``, and so have nodes made in different threads. Which of two
equals runs first is then decided by ``std::priority_queue``, which isn't stable: by how its binary heap sifts.
``ReadyQueue`` does what libstdc++ does (``bits/stl_heap.h``: ``__push_heap``, ``__adjust_heap``), so ties come
out as in torch's Linux builds. Python's ``heapq`` sifts in another way and gives another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from autograd_lab._torch.deep import NodeSlot

T = TypeVar("T")


class ReadyQueue(Generic[T]):
    """A priority queue of ``(key, item)``: the highest key first, ties as ``std::priority_queue`` breaks them.

    Example:
        >>> queue = ReadyQueue()
        >>> for item in "abcdefg":
        ...     queue.push(1, item)
        >>> "".join(queue.pop() for _ in range(7))
        'acfgebd'
    """

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, T]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, key: int, item: T) -> None:
        """Puts an item in; ``key`` is its ``sequence_nr``."""
        self._heap.append((key, item))
        if len(self._heap) > 1:
            self._sift_up(len(self._heap) - 1, (key, item))

    def pop(self) -> T:
        """Takes out the item with the highest key."""
        heap = self._heap
        first, last = heap[0], heap.pop()
        if heap:
            self._sift_up(self._sink_hole(), last)
        return first[1]

    def first(self) -> T:
        """Returns the item with the highest key; leaves it in."""
        return self._heap[0][1]

    def in_order(self) -> list[T]:
        """Returns the items in the order in which they would be taken out; takes none out."""
        heap = list(self._heap)
        taken = [self.pop() for _ in range(len(self))]
        self._heap = heap
        return taken

    def _sift_up(self, hole: int, entry: tuple[int, T]) -> None:
        """Moves the hole up past smaller parents, and fills it (``__push_heap``)."""
        heap = self._heap
        while hole > 0 and heap[parent := (hole - 1) // 2][0] < entry[0]:
            heap[hole] = heap[parent]
            hole = parent
        heap[hole] = entry

    def _sink_hole(self) -> int:
        """Moves the hole at the top down to the bottom, past the larger child (``__adjust_heap``).

        Of two equal children the right one moves up. That's the step that decides ties.
        """
        heap = self._heap
        size, hole = len(heap), 0
        while (right := 2 * hole + 2) < size:
            child = right - 1 if heap[right][0] < heap[right - 1][0] else right
            heap[hole] = heap[child]
            hole = child
        if right == size:  # one last child, on the left
            heap[hole] = heap[right - 1]
            hole = right - 1
        return hole


def dependencies(nexts: Sequence[Sequence[NodeSlot | None]], roots: Sequence[NodeSlot]) -> list[int]:
    """Counts the gradients that each node waits for.

    Args:
        nexts: For each node, its edges.
        roots: The edges at which the backward starts.

    Returns:
        For each node, how many edges lead to it, the roots' included.
    """
    counts = [0] * len(nexts)
    for edges in (*nexts, roots):
        for edge in edges:
            if edge is not None:
                counts[edge[0]] += 1
    return counts


def execution_order(
    sequence_nrs: Sequence[int], nexts: Sequence[Sequence[NodeSlot | None]], roots: Sequence[NodeSlot]
) -> list[int]:
    """Returns the order in which the native engine would run the nodes.

    Args:
        sequence_nrs: Each node's ``sequence_nr``.
        nexts: Each node's edges, leading to indices of these lists.
        roots: The edges at which the backward starts.

    Returns:
        The nodes' indices, first to run first.

    Example:
        A loss whose two branches have the numbers 1 and 2, meeting in a leaf:

        >>> execution_order([3, 1, 2, 9], [[(1, 0), (2, 0)], [(3, 0)], [(3, 0)], []], [(0, 0)])
        [0, 2, 1, 3]
    """
    awaited = dependencies(nexts, roots)
    queue: ReadyQueue[int] = ReadyQueue()
    order: list[int] = []
    edges: Sequence[NodeSlot | None] = roots
    while True:
        ready = []
        for edge in edges:
            if edge is not None:
                node = edge[0]
                awaited[node] -= 1
                if awaited[node] == 0:
                    ready.append(node)
        if len(ready) == 1 and not queue:  # it would go into the empty queue and come straight out again
            node = ready[0]
        else:
            for node in ready:
                queue.push(sequence_nrs[node], node)
            if not queue:
                return order
            node = queue.pop()
        order.append(node)
        edges = nexts[node]
