"""``trace``: the native engine, watched by a pre-hook and a post-hook on every node.

The engine calls a node's pre-hooks when its input buffer is full and the tensors' own hooks have had their say, and
its post-hooks after ``validate_outputs`` has reduced what it returned to the receiving slots' shape and dtype
(``call_function`` in ``torch/csrc/autograd/engine.cpp``). So these two see just what a trace wants to know. They are
registered last, so they see what a user's hooks made of it, and they return nothing, so they change nothing.

Note [Contributions]
What a node returns for an edge is what arrives in the receiving input buffer, and the engine sends a node's gradients
as soon as it has run. So the contributions to a fan-in, and their order, are the ``grad_inputs`` of the steps before,
read off in the order in which these ran; nothing has to watch the buffers.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch import tensors as _tensors
from autograd_lab._torch.kernels import KernelWatch
from autograd_lab.backward.stats import Level, Measure, Meter
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import Names
from autograd_lab.capture.outputs import Outputs, tensors
from autograd_lab.errors import OptionError
from autograd_lab.records import Accumulation, Contribution, GradStats, Graph, Kernel, Node, Step, Trace

Grads = tuple[torch.Tensor | None, ...]
Measures = tuple[Measure | None, ...]
Keep = str | Callable[[Node], bool] | None


def trace(
    outputs: Outputs,
    *,
    model: torch.nn.Module | None = None,
    names: Names | None = None,
    grad_tensors: Any = None,
    inputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    stats: Level = "norm",
    keep: Keep = None,
    kernels: bool = False,
) -> Trace:
    """Runs the real ``torch.autograd.backward`` and records what every node did.

    ``.grad`` ends up exactly as ``backward()`` leaves it. If the backward raises, so does this, with the same
    exception, to which the trace of what ran until then is attached as ``autograd_lab_trace``.

    Args:
        outputs: A tensor of any shape, a ``GradientEdge``, or any nesting of list, tuple and dict of them.
        model: As for ``capture``.
        names: As for ``capture``.
        grad_tensors: As for ``torch.autograd.backward``: what each output's gradient starts as.
        inputs: As for ``torch.autograd.backward``: only what leads to these is run.
        retain_graph: As for ``torch.autograd.backward``.
        create_graph: As for ``torch.autograd.backward``.
        stats: ``None``, ``"norm"`` (and NaN and inf where the norm isn't finite) or ``"full"``.
        keep: Whose gradients are kept, as copies: ``None``, ``"all"`` or a predicate on ``Node``. A leaf's is in
            ``Trace.grads``.
        kernels: Whether the ATen kernels that each node ran are listed, the engine's own marked as hidden. Torch takes
            other paths through some formulas when it is watched so closely, and all are slower.

    Returns:
        The trace.

    Raises:
        GraphError: The outputs have no graph; as for ``capture``.
        OptionError: ``stats`` or ``keep`` isn't one of the above.

    Example:
        >>> w = torch.tensor(0.0, requires_grad=True)
        >>> done = trace((w * 2.0 - 4.0) ** 2, names={"w": w})
        >>> [step.grad_outputs[0].norm for step in done.steps]
        [1.0, 8.0, 8.0, 16.0]
        >>> w.grad
        tensor(-16.)
    """
    with _tensors.no_torch_function():
        graph, nodes = live(outputs, model=model, names=names)
    recorder = Recorder(graph, nodes, Meter(stats), _chooser(keep), kernels=kernels)
    del nodes
    roots = list(tensors(outputs))
    return recorder.run(
        lambda: torch.autograd.backward(
            roots, grad_tensors, retain_graph=retain_graph, create_graph=create_graph, inputs=inputs
        )
    )


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
        self._kernels = kernels
        self._last = threading.local()
        self._graph = graph
        self._nodes = nodes
        self._meter = meter
        self._keeps = keeps
        self._runs: list[_Run] = []
        self._running: dict[tuple[int, int], _Run] = {}
        self._grads: dict[str, torch.Tensor] = {}
        self._began = 0

    def run(self, backward: Callable[[], None]) -> Trace:
        """Runs a backward under the hooks.

        Args:
            backward: What runs it.

        Returns:
            The trace.
        """
        watch = KernelWatch(self._kernel) if self._kernels else contextlib.nullcontext()
        with self._hooks(), watch:
            self._began = time.perf_counter_ns()
            try:
                backward()
            except BaseException as error:
                error.autograd_lab_trace = self._trace(repr(error))  # type: ignore[attr-defined]
                raise
            total = time.perf_counter_ns() - self._began
        return self._trace(None, total)

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

    def _kernel(self, name: str) -> None:
        """What the engine does between two nodes belongs to the one that ran last on this thread."""
        run = getattr(self._last, "run", None)
        if run is not None and not run.measuring:
            run.kernels.append(Kernel(name, hidden=run.ended > 0))

    def _before(self, place: int, grad_outputs: Grads) -> None:
        record = self._graph.nodes[place]
        self._last.run = run = _Run(place, threading.get_ident())
        run.grad_outputs = tuple(map(self._meter.measure, grad_outputs))
        if record.kind == "accumulate":
            run.leaf = _Leaf(_nodes.variable(self._nodes[place]), grad_outputs[0], self._meter)
            if self._keeps(record) and grad_outputs[0] is not None and record.variable is not None:
                self._grads[record.variable] = grad_outputs[0].detach().clone()
        self._runs.append(run)
        self._running[place, run.thread] = run
        run.measuring = False
        run.started = time.perf_counter_ns()

    def _after(self, place: int, grad_inputs: Grads, grad_outputs: Grads) -> None:
        ended = time.perf_counter_ns()
        del grad_outputs
        run = self._running.pop((place, threading.get_ident()))
        run.ended = ended
        run.measuring = True
        run.grad_inputs = tuple(map(self._meter.measure, grad_inputs))
        if run.leaf is not None:
            run.accumulation = run.leaf.look_again()
            run.leaf = None
        run.measuring = False

    def _trace(self, error: str | None, total: int | None = None) -> Trace:
        threads: dict[int, int] = {}
        arrived: dict[int, list[Contribution]] = {}
        for root in self._graph.roots:
            arrived.setdefault(root.node, []).append(Contribution(root.input_nr, None))
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
                    tuple(run.kernels),
                    contributions=tuple(arrived.pop(run.node, ())),
                    accumulation=run.accumulation() if run.accumulation else None,
                )
            )
            if run.ended:
                self._send(run.node, grad_inputs, arrived)
        return Trace(self._graph, tuple(steps), total, error, MappingProxyType(self._grads))

    def _send(
        self, sender: int, grad_inputs: Sequence[GradStats | None], arrived: dict[int, list[Contribution]]
    ) -> None:
        """See Note [Contributions]. Without statistics it isn't known which gradients were undefined."""
        for slot, edge in enumerate(self._graph.nodes[sender].next):
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
        "kernels",
        "leaf",
        "measuring",
        "node",
        "started",
        "thread",
    )

    def __init__(self, node: int, thread: int) -> None:
        self.node = node
        self.thread = thread
        self.started = 0
        self.ended = 0
        self.measuring = True  # the lab's own kernels, for statistics, aren't the backward's
        self.kernels: list[Kernel] = []
        self.grad_outputs: Measures = ()
        self.grad_inputs: Measures = ()
        self.leaf: _Leaf | None = None
        self.accumulation: Callable[[], Accumulation] | None = None


class _Leaf:
    """A leaf's ``.grad`` before its ``AccumulateGrad`` ran. No gradient is held: a held one couldn't be stolen."""

    __slots__ = ("_before", "_came", "_measured", "_meter", "_variable")

    def __init__(self, variable: torch.Tensor, came: torch.Tensor | None, meter: Meter) -> None:
        self._variable = variable
        self._meter = meter
        self._came = None if came is None else _tensors.address(came)
        self._before = None if variable.grad is None else weakref.ref(variable.grad)
        self._measured = meter.measure(variable.grad)

    def look_again(self) -> Callable[[], Accumulation]:
        """Looks at ``.grad`` now; what is returned makes the record once numbers may be read."""
        how = self._how()
        before, after = self._measured, self._meter.measure(self._variable.grad)
        return lambda: Accumulation(how, _finished(before), _finished(after))

    def _how(self) -> str:
        grad = self._variable.grad
        if self._came is None or grad is None:
            return "nothing"
        if self._before is not None:
            return "added" if self._before() is grad else "replaced"
        return "stole" if _tensors.address(grad) == self._came else "copied"


def _finished(measure: Measure | None) -> GradStats | None:
    return None if measure is None else measure.finish()


def _chooser(keep: Keep) -> Callable[[Node], bool]:
    if keep is None:
        return lambda _: False
    if keep == "all":
        return lambda _: True
    if callable(keep):
        return keep
    raise OptionError(f"keep={keep!r} isn't one; use None, 'all' or a function of a Node that returns a bool")
