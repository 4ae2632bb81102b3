"""``Recorder``: a pre-hook and a post-hook on every node while the native engine runs a backward.

The engine calls a node's pre-hooks when its input buffer is full and the tensors' own hooks have had their say, and
its post-hooks after ``validate_outputs`` has reduced what it returned to the receiving slots' shape and dtype
(``call_function`` in ``torch/csrc/autograd/engine.cpp``). So these two see just what a trace wants to know. They are
registered last, so they see what a user's hooks made of it, and they return nothing, so they change nothing.

Note [Contributions]
What a node returns for an edge is what arrives in the receiving input buffer, and the engine sends a node's gradients
as soon as it has run. So the contributions to a fan-in, and their order, are the ``grad_inputs`` of the steps before,
read off in the order in which these ran; nothing has to watch the buffers.

Note [Backwards inside backwards]
A hook of the user's, or a reentrant checkpoint, may start another backward, and that may run through the same nodes.
The hooks here fire for it too. Torch gives each backward a number (its *graph task*), so the recorder takes the number
that it meets first for its own and passes over any other.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

import torch
from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import engine as _engine
from autograd_lab._torch import kernels as _kernels
from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch import saved as _saved
from autograd_lab._torch import tensors as _tensors
from autograd_lab.backward.stats import Measure, Meter
from autograd_lab.errors import OptionError
from autograd_lab.records import Accumulation, Contribution, GradStats, Graph, Kept, Kernel, Node, Step, Trace

Grads: TypeAlias = tuple[torch.Tensor | None, ...]
Measures: TypeAlias = tuple[Measure | None, ...]
Keep: TypeAlias = str | Callable[[Node], bool] | None
T = TypeVar("T")


class Recorder:
    """Registers the hooks, gathers what they see, and makes the records of it when the backward is over.

    Args:
        graph: The graph, captured before the backward.
        nodes: Its live nodes, by id; not kept longer than the hooks are.
        meter: Measures gradients.
        keeps: Says whose gradients are kept.
        kernels: Whether kernels are listed.
    """

    def __init__(
        self,
        graph: Graph,
        nodes: Sequence[TorchNode],
        meter: Meter,
        keeps: Callable[[Node], bool],
        *,
        kernels: bool,
    ) -> None:
        self.graph = graph
        self._kernels = kernels
        self._last = threading.local()
        self._nodes = nodes
        self._meter = meter
        self._keeps = keeps
        self._runs: list[_Run] = []
        self._running: dict[tuple[int, int], _Run] = {}
        self._backward: int | None = None
        self._thread = threading.get_ident()
        self._began = 0
        self._total: int | None = None

    def run(self, backward: Callable[[], T]) -> T:
        """Runs a backward under the hooks.

        Args:
            backward: What runs it.

        Returns:
            What it returned.
        """
        watch = _kernels.watch_kernels(self._kernel) if self._kernels else contextlib.nullcontext()
        with self._hooks(), watch:
            self._began = time.perf_counter_ns()
            result = backward()
            self._total = time.perf_counter_ns() - self._began
        return result

    @property
    def current(self) -> int | None:
        """The id of the node whose turn it is, or was last, on this thread."""
        run = getattr(self._last, "run", None)
        return None if run is None else run.node

    def is_for(self, backward: int) -> bool:
        """Whether this records the backward of that number, as ``_torch.engine.current_backward`` gives it.

        A hook of the user's may ask before any hook here has fired, in the thread that started the backward.
        """
        return self._backward == backward or (self._thread == threading.get_ident() and self._mine(backward))

    def _mine(self, backward: int) -> bool:
        """See Note [Backwards inside backwards]."""
        if self._backward is None:
            self._backward = backward
        return self._backward == backward

    @contextlib.contextmanager
    def _hooks(self) -> Iterator[None]:
        handles = []
        try:
            for place, node in enumerate(self._nodes):
                handles.append(node.register_prehook(functools.partial(self._before, place)))
                handles.append(node.register_hook(functools.partial(self._after, place)))
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._nodes = ()

    def _kernel(self, name: str, stack: _kernels.Stack) -> None:
        """What the engine does between two nodes belongs to the one that ran last on this thread."""
        run = getattr(self._last, "run", None)
        if run is not None:
            run.kernels.append((name, stack))

    def _before(self, place: int, grad_outputs: Grads) -> None:
        if not self._mine(_engine.current_backward()):
            return
        record = self.graph.nodes[place]
        thread = threading.get_ident()
        self._last.run = run = _Run(place, thread)
        if self._meter.measures:
            run.grad_outputs = tuple(map(self._meter.measure, grad_outputs))
        if record.kind == "accumulate":
            run.leaf = _Leaf(_nodes.variable(self._nodes[place]), grad_outputs[0], self._meter)
        if self._keeps(record):
            run.kept = Kept(_copies(grad_outputs))
        self._runs.append(run)
        self._running[place, thread] = run
        run.started = time.perf_counter_ns()

    def _after(self, place: int, grad_inputs: Grads, grad_outputs: Grads) -> None:
        ended = time.perf_counter_ns()
        del grad_outputs
        if not self._mine(_engine.current_backward()):
            return
        run = self._running.pop((place, threading.get_ident()))
        run.ended = ended
        if self._meter.measures:
            run.grad_inputs = tuple(map(self._meter.measure, grad_inputs))
        if run.leaf is not None:
            run.accumulation = run.leaf.look_again()
            run.leaf = None
        if run.kept is not None:
            run.kept = run.kept._replace(grad_inputs=_copies(grad_inputs))

    def trace(self, error: BaseException | None = None) -> Trace:
        """Makes the record of what was seen.

        Args:
            error: What the backward raised.

        Returns:
            The trace.
        """
        threads: dict[int, int] = {}
        arrived: dict[int, list[Contribution]] = {}
        for root in self.graph.roots:
            arrived.setdefault(root.node, []).append(Contribution(root.input_nr, None))
        kernels = self._named_kernels()
        steps = []
        for index, run in enumerate(self._runs):
            grad_inputs = tuple(map(_finished, run.grad_inputs))
            steps.append(
                Step(
                    index,
                    run.node,
                    tuple(map(_finished, run.grad_outputs)),
                    grad_inputs,
                    run.started - self._began,
                    run.ended - run.started if run.ended else None,
                    threads.setdefault(run.thread, len(threads)),
                    next(kernels),
                    contributions=tuple(arrived.pop(run.node, ())),
                    accumulation=run.accumulation() if run.accumulation else None,
                )
            )
            if run.ended:
                self._send(run.node, grad_inputs, arrived)
        described = None if error is None else repr(error)
        kept = {run.node: run.kept for run in self._runs if run.kept is not None}
        return Trace(self.graph, tuple(steps), self._total, described, self._leaf_grads(kept), kept)

    def _leaf_grads(self, kept: Mapping[int, Kept]) -> dict[str, torch.Tensor]:
        return {
            node.variable: kept[node.id].grad_outputs[0]
            for node in self.graph.leaves
            if node.variable is not None and node.id in kept and kept[node.id].grad_outputs[0] is not None
        }

    def _named_kernels(self) -> Iterator[tuple[Kernel, ...]]:
        """Each run's kernels. The stacks are read all at once, when the backward is over."""
        who = iter(_kernels.who(stack for run in self._runs for _, stack in run.kernels))
        return (tuple(Kernel(name, next(who)) for name, _ in run.kernels) for run in self._runs)

    def _send(
        self, sender: int, grad_inputs: Sequence[GradStats | None], arrived: dict[int, list[Contribution]]
    ) -> None:
        """See Note [Contributions]. Without statistics it isn't known which gradients were undefined."""
        for slot, edge in enumerate(self.graph.nodes[sender].next):
            if edge is not None:
                stats = grad_inputs[slot] if slot < len(grad_inputs) else None
                arrived.setdefault(edge.node, []).append(Contribution(edge.input_nr, sender, slot, stats))


class _Run:
    """One run of one node, while it's going on."""

    __slots__ = (
        "accumulation",
        "ended",
        "grad_inputs",
        "grad_outputs",
        "kept",
        "kernels",
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
        self.kernels: list[tuple[str, _kernels.Stack]] = []
        self.grad_outputs: Measures = ()
        self.grad_inputs: Measures = ()
        self.leaf: _Leaf | None = None
        self.kept: Kept | None = None
        self.accumulation: Callable[[], Accumulation] | None = None


class _Leaf:
    """A leaf's ``.grad`` before its ``AccumulateGrad`` ran. No gradient is held: a held one couldn't be stolen."""

    __slots__ = ("_before", "_came", "_came_measured", "_measured", "_meter", "_variable", "_version")

    def __init__(self, variable: torch.Tensor, came: torch.Tensor | None, meter: Meter) -> None:
        self._variable = variable
        self._meter = meter
        self._came = None if came is None else _tensors.address(came)
        self._came_measured = meter.measure(came)
        self._version = None if came is None else _saved.version(came)
        self._before = None if variable.grad is None else weakref.ref(variable.grad)
        self._measured = meter.measure(variable.grad)

    def look_again(self) -> Callable[[], Accumulation]:
        """Looks at ``.grad`` now; what is returned makes the record once numbers may be read."""
        how = self._how()
        before, after = self._measured, self._measure_after(how)
        return lambda: Accumulation(how, _finished(before), _finished(after))

    def _measure_after(self, how: str) -> Measure | None:
        """What was stolen is what came, unless a hook of the user's has changed it since: then its version grew."""
        grad = self._variable.grad
        if how == "stole" and grad is not None and _saved.version(grad) == self._version:
            return self._came_measured
        return self._meter.measure(grad)

    def _how(self) -> str:
        grad = self._variable.grad
        if self._came is None or grad is None:
            return "nothing"
        if self._before is not None:
            return "added" if self._before() is grad else "replaced"
        return "stole" if _tensors.address(grad) == self._came else "copied"


def _copies(grads: Grads) -> Grads:
    with _tensors.unseen():
        return tuple(None if grad is None else grad.detach().clone() for grad in grads)


def _finished(measure: Measure | None) -> GradStats | None:
    return None if measure is None else measure.finish()


def chooser(keep: Keep) -> Callable[[Node], bool]:
    """Gives the predicate that a user's ``keep`` stands for.

    Args:
        keep: ``None``, ``"all"`` or a predicate on ``Node``.

    Returns:
        The predicate.

    Raises:
        OptionError: It is none of these.
    """
    if keep is None:
        return lambda _: False
    if keep == "all":
        return lambda _: True
    if callable(keep):
        return keep
    raise OptionError(f"keep={keep!r} isn't one; use None, 'all' or a function of a Node that returns a bool")
