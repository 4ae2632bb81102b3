"""``Turn``: one node's turn in a backward of the native engine, and the two hooks that see it.

The engine calls a node's pre-hooks when its input buffer is full and the tensors' own hooks have had their say, and
its post-hooks after ``validate_outputs`` has reduced what it returned to the receiving slots' shape and dtype
(``call_function`` in ``torch/csrc/autograd/engine.cpp``). So these two see just what a trace wants to know. They are
registered last, so they see what a user's hooks made of it, and they return nothing, so they change nothing.

Note [Backwards inside backwards, and beside them]
The hooks here fire for every backward that runs through these nodes: also for one that a hook of the user's or a
reentrant checkpoint starts, and for one of another thread's. So a backward is marked before it starts (``marked`` in
``_torch/engine.py``). The mark goes along into every thread that it runs in, and into what its hooks start, but nowhere
else. Torch numbers backwards in the order in which they start (*graph task*), so of the marked ones that with the
smallest number is the one.

Note [Cold hooks]
A large node's kernels leave nothing of Python in the processor's caches. A hook that comes after them is paid not for
what it computes but for what it touches: a microsecond for each function, dictionary or object that it hasn't touched
before. So all that a node's hooks need is in one object, made before the backward, and they go straight to it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from threading import get_ident
from time import perf_counter_ns
from typing import TypeAlias

from autograd_lab._torch import engine as _engine, hooks as _hooks, tensors as _tensors
from autograd_lab._torch.engine import current_backward
from autograd_lab._torch.run_node import Grads
from autograd_lab.backward.kernels import KernelLog
from autograd_lab.backward.leaf import Leaf
from autograd_lab.backward.stats import Measure, Meter
from autograd_lab.records import Kept

Measures: TypeAlias = tuple[Measure | None, ...]


class Running:
    """The backward that is recorded, as far as it has come; all its turns share it.

    Args:
        meter: Measures gradients.
        kernels: Where kernels are written down, if they are.
        kept: The ids of the nodes whose gradients are kept.

    Attributes:
        number: Torch's number for it; ``None`` as long as no hook has seen it.
        ran: The turns, in the order in which they began.
        looks: Whether more is wanted than which node ran when, and what happened at the leaves.
        mark: The mark that it carries.
    """

    def __init__(self, meter: Meter, kernels: KernelLog | None, kept: Collection[int]) -> None:
        self.meter = meter
        self.kernels = kernels
        self.kept = kept
        self.looks = meter.measures or bool(kept) or kernels is not None
        self.mark = object()
        self.number: int | None = None
        self.ran: list[Turn] = []

    def claims(self, backward: int) -> bool:
        """Returns whether this is the backward. See Note [Backwards inside backwards, and beside them].

        Args:
            backward: The number of the one that this thread works for.
        """
        if self.number is not None and backward > self.number:
            return False
        if not _engine.has_mark(self.mark):
            return False
        self.number = backward
        self.ran = []  # what was seen of another one is forgotten
        if self.kernels is not None:
            self.kernels.forget_turns()
        return True


@dataclass(slots=True)
class Sight:
    """What was seen of a node's gradients, where more was wanted than when it ran.

    Attributes:
        grad_outputs: What was measured of what came in.
        grad_inputs: What was measured of what went out.
        kept: The gradients, where they are kept.
    """

    grad_outputs: Measures = ()
    grad_inputs: Measures = ()
    kept: Kept | None = None


UNSEEN = Sight()
"""What was seen of a turn whose gradients nobody looked at; all such turns share it."""


class Turn(_hooks.Own):
    """One node's turn. See Note [Cold hooks].

    Args:
        node: The node's id.
        running: The backward.

    Attributes:
        leaf: Looks at ``.grad``, where the node is a leaf's.
        sight: What was seen of its gradients.
        thread: Who ran it, as ``threading.get_ident`` says it; 0 before that.
        started: When it began; 0 if looking at its gradients failed.
        ended: When it was over; 0 if it never was.
    """

    __slots__ = ("_running", "ended", "leaf", "node", "sight", "started", "thread")

    def __init__(self, node: int, running: Running) -> None:
        self.node = node
        self.leaf: Leaf | None = None
        self.sight = UNSEEN
        self.thread = self.started = self.ended = 0
        self._running = running

    @property
    def runs(self) -> bool:
        """Whether the node is running."""
        return bool(self.started) and not self.ended

    def before(self, grad_outputs: Grads) -> None:
        """The pre-hook.

        Args:
            grad_outputs: What came in.
        """
        running = self._running
        backward = current_backward()
        if backward != running.number and not running.claims(backward):
            return
        running.ran.append(self)
        self.started = self.ended = 0
        self.thread = get_ident()
        if running.looks:
            self.sight = self._look(running, grad_outputs)
        if self.leaf is not None:
            self.leaf.before(grad_outputs[0], self.sight.grad_outputs)
        self.started = perf_counter_ns()

    def after(self, grad_inputs: Grads, grad_outputs: Grads) -> None:
        """The post-hook.

        Args:
            grad_inputs: What the node returned.
            grad_outputs: What came in.
        """
        ended = perf_counter_ns()
        running = self._running
        if current_backward() != running.number:
            return
        self.ended = ended
        if running.looks:
            self._look_again(running, self.sight, grad_inputs)
        if self.leaf is not None:
            self.leaf.after(grad_outputs[0])

    def _look(self, running: Running, grad_outputs: Grads) -> Sight:
        if running.kernels is not None:
            running.kernels.begins(self.node)
        sight = Sight()
        if running.meter.measures:
            sight.grad_outputs = tuple(map(running.meter.measure, grad_outputs))
        if self.node in running.kept:
            sight.kept = Kept(_copies(grad_outputs))
        return sight

    def _look_again(self, running: Running, sight: Sight, grad_inputs: Grads) -> None:
        if running.kernels is not None:
            running.kernels.ends()
        if running.meter.measures:
            sight.grad_inputs = tuple(map(running.meter.measure, grad_inputs))
        if sight.kept is not None:
            sight.kept = sight.kept._replace(grad_inputs=_copies(grad_inputs))


def _copies(grads: Grads) -> Grads:
    with _tensors.unseen():
        return tuple(None if grad is None else grad.detach().clone() for grad in grads)
