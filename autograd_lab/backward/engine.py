"""``Engine``: the C++ engine's algorithm, in Python that can be stopped at every node.

It drives the real nodes by the real rules (``torch/csrc/autograd/engine.cpp``): the order is the native engine's and so
is every bit. ``check_engine`` proves it for a graph. What one node's turn consists of is in ``call.py``, what happens
between two nodes in ``receive.py`` and ``buffers.py``, at a leaf in ``accumulate.py``.

Note [The algorithm]
Count for every node the edges that lead to it: its *dependencies*. Send each root its gradient. Then, as long as there
is a node whose gradients have all arrived, take the one with the highest ``sequence_nr``, run it, and send each
gradient that it returns along its edge: make it fit the slot that it goes into, add it to what is there, and count one
dependency less.

Note [The root node]
To the C++ engine the start is a node too, ``GraphRoot``, whose edges lead to the outputs. It's the one place where a
gradient comes from no operation. Here it's ``None`` as a contribution's source.

Note [Exec info]
With ``inputs=`` only nodes from which one of these can be reached are run; a gradient that is sent to another one is
dropped, and that one isn't awaited any less. The inputs' own nodes run, as they do under
``torch.autograd.backward(inputs=…)``, whose rule this is. (``torch.autograd.grad`` stops before them.)

Note [What a replay leaves alone]
No ``.grad`` is written, so hooks that are about ``.grad`` aren't called: post-accumulate-grad hooks don't run, and what
``Tensor.retain_grad`` would have written is put back. All other hooks run, and what they change is taken over. What the
nodes saved isn't freed. Random numbers are drawn as in a native run. A node that starts a backward of its own (a
reentrant checkpoint) starts a native one, which writes ``.grad`` as always. With ``accumulate=True`` all of ``.grad``
is written as the native engine does.

Limits: hooks on a tensor aren't called where all gradients of its node are undefined (torch calls them with ``None``),
C++ hooks that aren't on a tensor (DDP's) and the engine's own final callbacks aren't called at all, and all devices
share one queue.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import torch

from autograd_lab._torch import glass as _glass
from autograd_lab._torch import hooks as _hooks
from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch import tensors as _tensors
from autograd_lab.backward import call, stops
from autograd_lab.backward.accumulate import accumulated
from autograd_lab.backward.buffers import Buffer, InputBuffer
from autograd_lab.backward.receive import Slots, received
from autograd_lab.backward.stats import Level, Meter, checked
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import Names
from autograd_lab.capture.order import ReadyQueue, dependencies
from autograd_lab.capture.outputs import Outputs, starts
from autograd_lab.errors import GradientError, GraphError, OptionError
from autograd_lab.records import Accumulation, Contribution, Edge, GradStats, Step, Trace

Grads: TypeAlias = tuple[torch.Tensor | None, ...]


class Engine:
    """The glass engine: one backward, a node at a time. See Note [The algorithm].

    Attributes:
        graph: The graph, its ids the keys of everything here.
        dependencies: For each node, how many gradients it still waits for.
        current: The id of the node that is running or ran last; ``None`` before the first.
        steps: The steps so far.

    Args:
        outputs: A tensor of any shape, a ``GradientEdge``, or any nesting of list, tuple and dict of them.
        model: As for ``capture``.
        names: As for ``capture``.
        grad_tensors: As for ``torch.autograd.backward``: what each output's gradient starts as.
        inputs: As for ``torch.autograd.backward``: only what leads to these is run. See Note [Exec info].
        create_graph: Whether a graph of the backward is built, so that the gradients can be differentiated again.
        stats: As for ``trace``.
        accumulate: Whether ``.grad`` is written and hooks about it are called. See Note [What a replay leaves alone].

    Raises:
        GraphError: The outputs have no graph; as for ``capture``.
        OptionError: ``stats`` or ``inputs`` isn't what it should be.
        RuntimeError: ``grad_tensors`` don't fit the outputs; torch's own message.

    Example:
        >>> w = torch.tensor(0.0, requires_grad=True)
        >>> engine = Engine((w * 2.0 - 4.0) ** 2, names={"w": w})
        >>> engine.ready, engine.step().grad_inputs[0].norm
        ([0], 8.0)
        >>> engine.ready, engine.buffers[1].grads
        ([1], (tensor(-8.),))
        >>> _ = engine.run()
        >>> engine.grads["w"], w.grad
        (tensor(-16.), None)
    """

    def __init__(
        self,
        outputs: Outputs,
        *,
        model: torch.nn.Module | None = None,
        names: Names | None = None,
        grad_tensors: Any = None,
        inputs: Any = None,
        create_graph: bool = False,
        stats: Level = "norm",
        accumulate: bool = False,
    ) -> None:
        self._meter = Meter(checked(stats))
        self._outputs = _checked_starts(outputs)  # keeps the graph alive
        with _tensors.no_torch_function():
            self.graph, self._nodes = live(self._outputs, model=model, names=names)
        gradients = _glass.start_gradients(self._outputs, grad_tensors)
        self._create_graph = create_graph
        self._accumulate = accumulate
        self._places = {node: place for place, node in enumerate(self._nodes)}
        self._targets = self._inputs(inputs)
        self._needed = self._exec_info(inputs)
        self._slots = Slots(self.graph, self._nodes)
        self._retaining: dict[Any, list[torch.Tensor]] | None = None
        self._number = _glass.new_number()
        self._runs_all = inputs is None
        nexts = [[edge and edge[:2] for edge in node.next] for node in self.graph.nodes]
        self.dependencies = dependencies(nexts, [root[:2] for root in self.graph.roots])
        self.current: int | None = None
        self.steps: list[Step] = []
        self._queue: ReadyQueue[int] = ReadyQueue()
        self._waiting: dict[int, InputBuffer] = {}
        self._full: dict[int, InputBuffer] = {}
        self._grads: dict[str, torch.Tensor] = {}
        self._stopped_before: int | None = None
        self._began = time.perf_counter_ns()
        with torch.set_grad_enabled(create_graph):
            self._send(None, self.graph.roots, self._fitting(gradients, self.graph.roots, ""))

    # --- what can be seen --------------------------------------------------------------

    @property
    def ready(self) -> list[int]:
        """The ids of the nodes whose gradients have all arrived, the next to run first."""
        return self._queue.in_order()

    @property
    def buffers(self) -> dict[int, Buffer]:
        """Node's id → its input buffer, for all nodes that something has arrived at and that didn't run yet."""
        return {
            node: Buffer(tuple(buffer.grads), tuple(buffer.arrived), self.dependencies[node])
            for node, buffer in sorted({**self._waiting, **self._full}.items())
        }

    @property
    def done(self) -> bool:
        """Whether there's no node left to run."""
        return not self._queue

    @property
    def grads(self) -> Mapping[str, torch.Tensor]:
        """A leaf's name → its gradient, as far as the run has come; with ``inputs``, also ``"inputs[0]"`` → the first's."""
        return MappingProxyType(self._grads)

    @property
    def trace(self) -> Trace:
        """The record of the steps so far."""
        total = time.perf_counter_ns() - self._began
        return Trace(self.graph, tuple(self.steps), total, grads=MappingProxyType(dict(self._grads)))

    def saved(self, node: int) -> dict[str, Any]:
        """Gives what a node has saved now.

        Args:
            node: Its id.

        Returns:
            Names as in ``Saved.name`` → tensors and plain values; nothing is unpacked.
        """
        return dict(_nodes.saved_values(self._nodes[node]))

    # --- the algorithm -----------------------------------------------------------------

    def step(self) -> Step:
        """Runs the next node and sends on what it returns.

        Returns:
            What it did.

        Raises:
            OptionError: There is no node left to run.
            ReleasedError: An earlier backward freed what the node had saved.
            GradientError: The node returned, or a hook made, a gradient that can't be passed on.
        """
        if self.done:
            raise OptionError("every node has run; make a new Engine to begin again")
        with self._as_a_backward():
            return self._next()

    def run(self, until: stops.Until = None) -> Trace:
        """Takes steps until it's done or stopped.

        Args:
            until: A node's id or a name (the node's own, its leaf's, or that of a named tensor whose gradient flows
                into it): stops *before* that node runs; where it already stands there, at the next one of that name.
                ``"nonfinite"``: stops after a step that took in or gave out NaN or inf. A function of a ``Step``:
                stops after the first for which it's true. ``None``: never.

        Returns:
            The trace so far. If a node raises, so does this, with that trace attached to the exception as
            ``autograd_lab_trace``.

        Raises:
            OptionError: ``until`` names no node, or is ``"nonfinite"`` without statistics.
        """
        stops_before, stops_after = stops.before(until, self.graph), stops.after(until)
        if until == stops.NONFINITE and not self._meter.measures:
            raise OptionError("until='nonfinite' needs statistics; make the Engine with stats='norm'")
        try:
            with self._as_a_backward():
                while not self.done:
                    if (upcoming := self._queue.first()) in stops_before and upcoming != self._stopped_before:
                        self._stopped_before = upcoming
                        break
                    if stops_after(self._next()):
                        break
        except Exception as error:
            error.autograd_lab_trace = self.trace  # type: ignore[attr-defined]
            raise
        return self.trace

    def _next(self) -> Step:
        """Takes the node with the highest ``sequence_nr`` of those that are ready, and runs it."""
        self.current = place = self._queue.pop()
        return self._turn(place, self._full.pop(place))

    def _turn(self, place: int, buffer: InputBuffer) -> Step:
        """One node's turn. See Note [The order of hooks] in ``call.py``."""
        node, record = self._nodes[place], self.graph.nodes[place]
        grads, arrived = buffer.taken_out()
        before, after = call.hooks_of(node)
        grads, zeros = self._through_tensor_hooks(place, grads)
        self._capture(place, grads)
        grads = call.through(before, grads)
        came = tuple(map(self._measure, grads))
        started = time.perf_counter_ns()
        accumulation = None
        if record.kind == "accumulate":
            returned: Grads = ()
            accumulation = self._accumulate_grad(place, grads, came)
        else:
            filled = tuple(zero if grad is None else grad for grad, zero in zip(grads, zeros, strict=True))
            returned = self._fitting(
                call.run(node, filled), record.next, f"Function {record.name} returned an "
            )
        ended = time.perf_counter_ns()
        returned = call.through(after, returned, grads)
        went = tuple(map(self._measure, returned))
        step = Step(
            len(self.steps), place, came, went, started - self._began, ended - started,
            contributions=arrived, accumulation=accumulation,
        )  # fmt: skip
        self.steps.append(step)
        self._ran(place, grads, returned)
        self._send(place, record.next, returned, went)
        return step

    def _fitting(self, grads: Grads, edges: Sequence[Edge | None], sender: str) -> Grads:
        """Makes what a node returned fit the slots that it goes into."""
        if len(grads) != len(edges):
            raise GradientError(
                f"{sender}invalid number of gradients - expected {len(edges)}, but got {len(grads)}"
            )
        return tuple(
            grad
            if grad is None or edge is None
            else received(grad, self._slots.of(edge.node, edge.input_nr), index, sender)
            for index, (grad, edge) in enumerate(zip(grads, edges, strict=True))
        )

    def _send(
        self,
        sender: int | None,
        edges: Sequence[Edge | None],
        grads: Grads,
        stats: Sequence[GradStats | None] = (),
    ) -> None:
        """Sends gradients along edges; whoever has got all of theirs becomes ready."""
        for slot, (edge, grad) in enumerate(zip(edges, grads, strict=True)):
            if edge is None:
                continue
            self.dependencies[edge.node] -= 1
            if not self._needed[edge.node]:
                continue
            buffer = self._waiting.get(edge.node)
            if buffer is None:
                buffer = self._waiting[edge.node] = InputBuffer(len(self.graph.nodes[edge.node].grad_outputs))
            buffer.add(grad, Contribution(edge.input_nr, sender, *((slot, stats[slot]) if stats else ())))
            if self.dependencies[edge.node] == 0:
                self._full[edge.node] = self._waiting.pop(edge.node)
                self._queue.push(self.graph.nodes[edge.node].sequence_nr, edge.node)

    def _accumulate_grad(self, place: int, grads: Grads, came: Sequence[GradStats | None]) -> Accumulation:
        """What a leaf's node does. See Note [What a replay leaves alone]."""
        variable, name = _nodes.variable(self._nodes[place]), self.graph.nodes[place].variable
        if grads[0] is None or name is None:
            return Accumulation("nothing")
        if not self._accumulate:
            self._grads[name], how = accumulated(grads, variable, create_graph=self._create_graph)  # type: ignore[arg-type]
            return Accumulation(how, None, came[0])
        self._grads[name] = grads[0]
        old = variable.grad
        before = self._measure(old)
        _nodes.run(self._nodes[place], grads)
        how = "copied" if old is None else "added" if variable.grad is old else "replaced"
        return Accumulation(how, before, self._measure(variable.grad))

    def _ran(self, place: int, grad_outputs: Grads, grad_inputs: Grads) -> None:
        """Is called after each step, for those who want to see the gradients themselves."""

    # --- hooks and inputs --------------------------------------------------------------

    def _through_tensor_hooks(self, place: int, grads: Grads) -> tuple[Grads, Grads]:
        """The gradients after their tensors' hooks, and what a Python Function gets for undefined ones."""
        node = self._nodes[place]
        undefined = sum(grad is None for grad in grads)
        wants_zeros = undefined > 0 and _glass.is_function(node) and _glass.materializes(node)
        if undefined == len(grads):  # no hook can be called
            return grads, self._zeros(place) if wants_zeros else grads
        if wants_zeros:
            with self._retained_grads_put_back(node):
                return _glass.materialized(node, grads, create_graph=self._create_graph)
        if self._accumulate or not _hooks.none_yet():
            with self._retained_grads_put_back(node):
                grads = _glass.through_tensor_hooks(node, grads, create_graph=self._create_graph)
        return grads, grads

    def _zeros(self, place: int) -> Grads:
        """What a Python Function gets when all its gradients are undefined."""
        metadata = _nodes.input_metadata(self._nodes[place])
        return tuple(torch.zeros(slot.shape, dtype=slot.dtype, device=slot.device) for slot in metadata)

    @contextlib.contextmanager
    def _retained_grads_put_back(self, node: Any) -> Iterator[None]:
        held = (
            [] if self._accumulate else [(tensor, tensor.grad) for tensor in self.retaining().get(node, ())]
        )
        for tensor, _ in held:
            tensor.grad = None
        try:
            yield
        finally:
            for tensor, grad in held:
                tensor.grad = grad

    def retaining(self) -> Mapping[Any, Sequence[torch.Tensor]]:
        """The tensors, other than leaves, whose ``.grad`` the user wanted kept: node → tensors."""
        if self._retaining is None:
            with _tensors.no_torch_function():
                self._retaining = _glass.retaining(self._nodes)
        return self._retaining

    def _capture(self, place: int, grads: Grads) -> None:
        for slot, name in self._targets.get(place, ()):
            grad = grads[slot]
            if grad is not None:
                self._grads[name] = grad

    def _inputs(self, inputs: Any) -> dict[int, list[tuple[int, str]]]:
        """Each input's node → which of its slots is wanted, and what it's called."""
        found: dict[int, list[tuple[int, str]]] = {}
        for number, item in enumerate([] if inputs is None else starts(inputs)):
            node, slot = (
                _nodes.gradient_edge(item) if isinstance(item, torch.Tensor) else (item.node, item.output_nr)
            )
            if node in self._places:
                found.setdefault(self._places[node], []).append((slot, f"inputs[{number}]"))
        return found

    def _exec_info(self, inputs: Any) -> list[bool]:
        """Which nodes are run. Ids are in the order of execution, so whatever a node leads to comes after it."""
        needed = [inputs is None] * len(self.graph)
        if inputs is not None:
            for node in reversed(self.graph.nodes):
                needed[node.id] = node.id in self._targets or any(
                    edge and needed[edge.node] for edge in node.next
                )
        return needed

    def _will_run(self, node: Any) -> bool:
        place = self._places.get(node)
        return place is not None and self._needed[place]

    @contextlib.contextmanager
    def _as_a_backward(self) -> Iterator[None]:
        backward = _glass.Backward(self._number, self._will_run, self._runs_all)
        with torch.set_grad_enabled(self._create_graph), _glass.as_backward(backward):
            yield

    def _measure(self, grad: torch.Tensor | None) -> GradStats | None:
        measure = self._meter.measure(grad)
        return None if measure is None else measure.finish()


def replay(outputs: Outputs, **engine_options: Any) -> Trace:
    """Runs a backward in the glass engine. Touches no ``.grad``; the gradients are in ``Trace.grads``.

    The graph is still there afterwards. What hooks do, and what is left alone, is in Note [What a replay leaves alone].

    Args:
        outputs: As for ``Engine``.
        engine_options: As for ``Engine``.

    Returns:
        The trace.

    Raises:
        GraphError: The outputs have no graph.
        OptionError: An option isn't what it should be.
        ReleasedError: An earlier backward has freed the graph.

    Example:
        >>> w = torch.tensor(0.0, requires_grad=True)
        >>> done = replay((w * 2.0 - 4.0) ** 2, names={"w": w})
        >>> done.grads["w"], w.grad
        (tensor(-16.), None)
    """
    return Engine(outputs, **engine_options).run()


def _checked_starts(outputs: Outputs) -> list[Any]:
    """What is in ``outputs``, every one of which the native engine would have to be able to start at."""
    found = starts(outputs)
    without = [
        number
        for number, item in enumerate(found)
        if isinstance(item, torch.Tensor) and not item.requires_grad
    ]
    if without and len(without) < len(found):
        raise GraphError(f"element {without[0]} of tensors does not require grad and does not have a grad_fn")
    return found
