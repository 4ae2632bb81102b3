"""``KernelLog``: which kernels ran in which node's turn, and who ran them.

Note [Between two turns]
When a node's turn is over, the engine adds what it returned into input buffers; then it takes the next node and calls
the hooks on its tensors and its pre-hooks. So a kernel that runs between two turns is the next node's if a hook ran it,
or else the last one's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from autograd_lab._torch import kernels as _kernels
from autograd_lab.hold import Hold
from autograd_lab.records import Kernel


class _Event(NamedTuple):
    """A kernel (``name``), the beginning of a turn (``node``) or the end of one (neither)."""

    stack: _kernels.Stack = None
    name: str | None = None
    node: int | None = None

    @property
    def begins(self) -> bool:
        return self.node is not None


class KernelLog:
    """Writes down kernels and turns as they come, for each thread, and reads the stacks when the backward is over."""

    def __init__(self) -> None:
        self._threads: dict[int, list[_Event]] = {}

    def watch(self, held: Hold) -> None:
        """Writes down every kernel of a backward, until the block is over."""
        _kernels.watch_kernels(held, lambda name, stack: self._write(_Event(stack, name)))

    def begins(self, node: int) -> None:
        """Notes that a node's turn begins on this thread."""
        self._write(_Event(_kernels.gather(), node=node))

    def ends(self) -> None:
        """Notes that the turn ends."""
        self._write(_Event())

    def forget_turns(self) -> None:
        """Forgets the turns so far: they belong to another backward, inside this one."""
        for thread, events in self._threads.items():
            self._threads[thread] = [event for event in events if event.name is not None]

    def by_node(self) -> dict[int, tuple[Kernel, ...]]:
        """Returns the kernels of each node."""
        found: dict[int, list[Kernel]] = {}
        for events in self._threads.values():
            _share_out(events, lambda node, kernel: found.setdefault(node, []).append(kernel))
        return {node: tuple(kernels) for node, kernels in found.items()}

    def _write(self, event: _Event) -> None:
        self._threads.setdefault(threading.get_ident(), []).append(event)


def _share_out(events: Sequence[_Event], give: Callable[[int, Kernel], None]) -> None:
    """See Note [Between two turns]. What hooks ran before a turn that never began is nobody's."""
    stacks = _kernels.read([event.stack for event in events])
    depth = next(
        (_kernels.depth(stack) for event, stack in zip(events, stacks, strict=True) if event.begins), 0
    )
    now = last = None
    waiting: list[Kernel] = []
    for event, stack in zip(events, stacks, strict=True):
        if event.name is not None:
            kernel = Kernel(event.name, _kernels.who(stack, depth))
            if now is None:
                waiting.append(kernel)
            else:
                give(now, kernel)
        elif event.node is None:
            last, now = now, None
        else:
            now = event.node
            for kernel in waiting:
                owner = now if kernel.by == "hook" else last
                if owner is not None:
                    give(owner, kernel)
            waiting.clear()
    for kernel in waiting:
        if last is not None and kernel.by != "hook":
            give(last, kernel)
