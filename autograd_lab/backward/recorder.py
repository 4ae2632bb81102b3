"""``Recorder``: a pre-hook and a post-hook on every node while the native engine runs a backward.

The engine calls a node's pre-hooks when its input buffer is full and the tensors' own hooks have had their say, and
its post-hooks after ``validate_outputs`` has reduced what it returned to the receiving slots' shape and dtype
(``call_function`` in ``torch/csrc/autograd/engine.cpp``). So these two see just what a trace wants to know. They are
registered last, so they see what a user's hooks made of it, and they return nothing, so they change nothing.

Note [Contributions]
What a node returns for an edge is what arrives in the receiving input buffer, and the engine sends a node's gradients
as soon as it has run. So the contributions to a fan-in, and their order, are the ``grad_inputs`` of the steps before,
read off in the order in which these ended; nothing has to watch the buffers. What the backward was started with comes
first.

Note [Backwards inside backwards, and beside them]
The hooks here fire for every backward that runs through these nodes: also for one that a hook of the user's or a
reentrant checkpoint starts, and for one of another thread's. So a backward is marked before it starts (``marked`` in
``_torch/engine.py``). The mark goes along into every thread that it runs in, and into what its hooks start, but nowhere
else. Torch numbers backwards in the order in which they start (*graph task*), so of the marked ones that with the
smallest number is the one.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

import torch
from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import engine as _engine
from autograd_lab._torch import hooks as _hooks
from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch import tensors as _tensors
from autograd_lab.backward.kernels import KernelLog
from autograd_lab.backward.leaf import Leaf
from autograd_lab.backward.stats import Measure, Meter, bring, finished
from autograd_lab.errors import OptionError
from autograd_lab.records import Accumulation, Contribution, GradStats, Graph, Kept, Node, Step, Trace

Grads: TypeAlias = tuple[torch.Tensor | None, ...]
Measures: TypeAlias = tuple[Measure | None, ...]
Keeps: TypeAlias = Callable[[Node], bool]
Keep: TypeAlias = str | Keeps | None
T = TypeVar("T")


class Recorder:
    """Registers the hooks, gathers what they see, and makes the records of it when the backward is over.

    Args:
        graph: The graph, captured before the backward.
        nodes: Its live nodes, by id; not kept longer than the hooks are.
        meter: Measures gradients.
        keeps: Says whose gradients are kept; ``None`` if nobody's are.
        kernels: Whether kernels are listed.
    """

    def __init__(
        self, graph: Graph, nodes: Sequence[TorchNode], meter: Meter, keeps: Keeps | None, *, kernels: bool
    ) -> None:
        self.graph = graph
        self._nodes = nodes
        self._meter = meter
        self._kept = frozenset() if keeps is None else {node.id for node in graph.nodes if keeps(node)}
        self._kernels = KernelLog() if kernels else None
        self._mark = object()
        self._starts: Measures = ()
        self._began = 0
        self._total: int | None = None
        self._begin(None)

    def run(self, backward: Callable[[], T], grad_tensors: Sequence[torch.Tensor | None]) -> T:
        """Runs a backward under the hooks.

        Args:
            backward: What runs it.
            grad_tensors: What it's started with, one for each root.

        Returns:
            What it returned.
        """
        __tracebackhide__ = True
        watching = self._kernels.watching() if self._kernels else contextlib.nullcontext()
        self._starts = tuple(map(self._meter.measure, grad_tensors))
        with self._hooks(), _engine.marked(self._mark), watching:
            self._began = time.perf_counter_ns()
            result = backward()
            self._total = time.perf_counter_ns() - self._began
        return result

    def is_for(self, backward: int) -> bool:
        """Whether this records the backward that this thread works for; it may be asked before any hook has fired.

        Args:
            backward: Its number, as ``_torch.engine.current_backward`` gives it.
        """
        return self._backward == backward or self._claims(backward)

    def turn(self) -> int | None:
        """Gives the id of the node whose turn it is on this thread; ``None`` if it's none of this graph's."""
        now = _engine.current_node()
        return next((place for place, node in enumerate(self._nodes) if node is now), None)

    # --- while it runs -----------------------------------------------------------------

    def _begin(self, backward: int | None) -> None:
        """Forgets what was seen of another backward."""
        self._backward = backward
        self._runs: list[_Run] = []
        self._running: dict[int, _Run] = {}
        if self._kernels is not None:
            self._kernels.forget_turns()

    def _claims(self, backward: int) -> bool:
        """See Note [Backwards inside backwards, and beside them]."""
        if self._backward is not None and backward > self._backward:
            return False
        if not _engine.has_mark(self._mark):
            return False
        self._begin(backward)
        return True

    @contextlib.contextmanager
    def _hooks(self) -> Iterator[None]:
        take_off = _hooks.put_on(self._nodes, self._before, self._after)
        try:
            yield
        finally:
            take_off()
            for run in self._running.values():  # those that raised
                if run.leaf is not None:
                    run.leaf.close()
            self._nodes = ()

    def _before(self, place: int, grad_outputs: Grads) -> None:
        backward = _engine.current_backward()
        if backward != self._backward and not self._claims(backward):
            return
        run = _Run(place, threading.get_ident())
        if self._kernels is not None:
            self._kernels.begins(place)
        if self._meter.measures:
            run.grad_outputs = tuple(map(self._meter.measure, grad_outputs))
        if self.graph.nodes[place].kind == "accumulate":
            (came,) = grad_outputs
            measured = run.grad_outputs[0] if run.grad_outputs else None
            run.leaf = Leaf(_nodes.variable(self._nodes[place]), came, measured, self._meter)
        if place in self._kept:
            run.kept = Kept(_copies(grad_outputs))
        self._runs.append(run)
        self._running[place] = run
        run.started = time.perf_counter_ns()

    def _after(self, place: int, grad_inputs: Grads, grad_outputs: Grads) -> None:
        ended = time.perf_counter_ns()
        del grad_outputs
        if _engine.current_backward() != self._backward:
            return
        run = self._running.pop(place)
        run.ended = ended
        if self._kernels is not None:
            self._kernels.ends()
        if self._meter.measures:
            run.grad_inputs = tuple(map(self._meter.measure, grad_inputs))
        if run.leaf is not None:
            run.accumulation = run.leaf.look_again()
            run.leaf = None
        if run.kept is not None:
            run.kept = run.kept._replace(grad_inputs=_copies(grad_inputs))

    # --- afterwards --------------------------------------------------------------------

    def trace(self, error: BaseException | None = None) -> Trace:
        """Makes the record of what was seen.

        Args:
            error: What the backward raised.

        Returns:
            The trace.
        """
        threads: dict[int, int] = {}
        bring(itertools.chain(self._starts, *(run.measures() for run in self._runs)))
        grad_inputs = [tuple(map(finished, run.grad_inputs)) for run in self._runs]
        arrived = self._arrived(grad_inputs)
        kernels = {} if self._kernels is None else self._kernels.by_node()
        steps = [
            Step(
                index,
                run.node,
                tuple(map(finished, run.grad_outputs)),
                grad_inputs[index],
                run.started - self._began,
                run.ended - run.started if run.ended else None,
                threads.setdefault(run.thread, len(threads)),
                kernels.get(run.node, ()),
                contributions=tuple(arrived.get(run.node, ())),
                accumulation=run.accumulation() if run.accumulation else None,
            )
            for index, run in enumerate(self._runs)
        ]
        described = None if error is None else repr(error)
        kept = {run.node: run.kept for run in self._runs if run.kept is not None}
        return Trace(self.graph, tuple(steps), self._total, described, self._leaf_grads(kept), kept)

    def _arrived(self, grad_inputs: Sequence[Sequence[GradStats | None]]) -> dict[int, list[Contribution]]:
        """See Note [Contributions]. Without statistics it isn't known which gradients were undefined."""
        arrived: dict[int, list[Contribution]] = {}
        starts = itertools.chain(self._starts, itertools.repeat(None))  # it may not have come to a start
        for slot, (root, start) in enumerate(zip(self.graph.roots, starts, strict=False)):
            arrived.setdefault(root.node, []).append(Contribution(root.input_nr, None, slot, finished(start)))
        ended = [place for place, run in enumerate(self._runs) if run.ended]
        ended.sort(key=lambda place: self._runs[place].ended)
        for place in ended:
            sender, sent = self._runs[place].node, grad_inputs[place]
            for slot, edge in enumerate(self.graph.nodes[sender].next):
                if edge is not None:
                    stats = sent[slot] if slot < len(sent) else None
                    arrived.setdefault(edge.node, []).append(Contribution(edge.input_nr, sender, slot, stats))
        return arrived

    def _leaf_grads(self, kept: Mapping[int, Kept]) -> dict[str, torch.Tensor]:
        return {
            node.variable: kept[node.id].grad_outputs[0]
            for node in self.graph.leaves
            if node.variable is not None and node.id in kept and kept[node.id].grad_outputs[0] is not None
        }


class _Run:
    """One run of one node, while it's going on."""

    __slots__ = (
        "accumulation",
        "ended",
        "grad_inputs",
        "grad_outputs",
        "kept",
        "leaf",
        "node",
        "started",
        "thread",
    )

    def __init__(self, node: int, thread: int) -> None:
        self.node = node
        self.thread = thread
        self.started = 0
        self.ended = 0
        self.grad_outputs: Measures = ()
        self.grad_inputs: Measures = ()
        self.leaf: Leaf | None = None
        self.kept: Kept | None = None
        self.accumulation: Callable[[], Accumulation] | None = None

    def measures(self) -> Measures:
        """All that was measured of gradients; of ``.grad``, that's mostly among it."""
        return self.grad_outputs + self.grad_inputs


def _copies(grads: Grads) -> Grads:
    with _tensors.unseen():
        return tuple(None if grad is None else grad.detach().clone() for grad in grads)


def chooser(keep: Keep) -> Keeps | None:
    """Gives the predicate that a user's ``keep`` stands for.

    Args:
        keep: ``None``, ``"all"`` or a predicate on ``Node``.

    Returns:
        The predicate; ``None`` for ``None``.

    Raises:
        OptionError: It is none of these.
    """
    if keep is None:
        return None
    if keep == "all":
        return lambda _: True
    if callable(keep):
        return keep
    raise OptionError(f"keep={keep!r} isn't one; use None, 'all' or a function of a Node that returns a bool")
