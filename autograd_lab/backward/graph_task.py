"""``GraphTask``: the C++ engine's algorithm. One backward under way, a node at a time.

This is ``torch/csrc/autograd/engine.cpp`` in Python, and the class is named as there. It drives the real nodes by the
real rules. What one node's turn consists of is in ``call.py`` and ``tensor_hooks.py``, what happens between two nodes
in ``receive.py`` and ``buffers.py``, at a leaf in ``accumulate.py``. What ``inputs=`` changes is in ``exec_info.py``,
and how the queue breaks ties in ``capture/order.py``.

Note [The algorithm]
All of it, where nothing but the idea counts::

    gradients = {root: start}
    for node in topological_order(root):
        for source, gradient in zip(node.next, node.run(gradients.pop(node))):
            gradients[source] = gradients.get(source, 0) + gradient

The C++ engine doesn't sort, it counts: for every node the edges that lead to it, its *dependencies*. It sends each root
its gradient. Then, as long as there is a node whose gradients have all arrived, it takes the one with the highest
``sequence_nr``, runs it, and sends each gradient that it returns along its edge: makes it fit the slot that it goes
into, adds it to what is there, and counts one dependency less. It's a loop and no recursion, so a chain of nodes may be
as long as one likes.

Note [Dependencies]
A node that two others send to must wait for both, and a gradient that arrives can't tell how many are still under way.
So the edges are counted before anything runs (``compute_dependencies``), from the roots given: what else uses a tensor
sends nothing, and isn't awaited.

Note [Undefined gradients]
``None`` stands for zeros that nobody had to make: a result that wasn't used, or a derivative that is zero everywhere.
It's sent and counted like any other gradient, and adds nothing. A node that gets nothing else takes its turn all the
same: a formula returns ``None`` again, a leaf leaves ``.grad`` as it is, and a Python Function gets zeros, unless it
called ``ctx.set_materialize_grads(False)``.

Note [Why the highest sequence_nr]
Any node that's ready may run: what it needs is there. The forward numbers its operations as it makes them, so the
highest number is the latest operation, and the backward undoes the forward in reverse. An ``AccumulateGrad`` has the
highest number there is: a leaf's gradient is put away as soon as it's complete.

Note [The root node]
To the C++ engine the start is a node too, ``GraphRoot``, whose edges lead to the outputs (it's left out if there is
only one). It's the one place where a gradient comes from no operation. Here it's ``None`` as a contribution's source.
What a backward starts with is made to fit like any gradient, but before the root runs: in the caller's gradient mode.

Note [Who runs a node]
In C++ there's a queue for each device, with a thread of its own that takes nodes from it; nodes on the CPU run in the
thread that called ``backward()``. A node on a GPU runs on the stream that its forward ran on. Here all nodes run in the
calling thread, on its current stream, from one queue. On one device that's the same order.

Note [Reentrant backwards]
A node or a hook may start a backward of its own, as a reentrant checkpoint does. The C++ engine can't just wait for it,
since the thread that would have to run it is the one that waits; so that thread runs the inner backward's nodes, and
takes up the outer one when they're done. Here a node that starts a backward starts a native one, which is over when
the node returns.

Note [The backward of a backward]
Formulas compute with the same operations as a forward. ``create_graph`` only means that gradient mode is on while the
nodes run: then these operations are recorded, and the gradients have a graph of their own. Otherwise it's off, even
where the caller has it on.

Note [Final callbacks]
What a node or a hook gave to ``queue_callback`` is called when the last node has run, in order, and what a callback
adds after it. A backward that fails calls none. (Distributed training puts its gradients in place in such a callback.)

Note [What a backward frees]
Unless ``retain_graph`` was given, the native engine has each node drop what it saved as soon as it has run
(``release_variables``): that's why a second backward fails. Running a node from Python frees nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch

from autograd_lab._torch import (
    nodes as _nodes,
    python_function as _python_function,
    settings as _settings,
    which_backward as _which_backward,
)
from autograd_lab._torch.run_node import Grads
from autograd_lab.backward import accumulate, call
from autograd_lab.backward.buffers import InputBuffer
from autograd_lab.backward.exec_info import ExecInfo
from autograd_lab.backward.receive import Slots
from autograd_lab.backward.stats import Meter
from autograd_lab.backward.tensor_hooks import TensorHooks
from autograd_lab.capture.order import ReadyQueue, dependencies
from autograd_lab.exceptions import described
from autograd_lab.hold import Hold
from autograd_lab.records import Accumulation, Contribution, Edge, GradStats, Graph, Node, Step

Stats: TypeAlias = tuple[GradStats | None, ...]


class _Turn(NamedTuple):
    """What a node did in its turn; see ``Step``."""

    grads: Grads
    came: Stats
    returned: Grads
    started: int
    ended: int
    accumulation: Accumulation | None


class Raised(NamedTuple):
    """How a backward ended early.

    Attributes:
        error: What was raised, as text.
        step: The step of the node that raised, as far as it got; ``None`` where it hadn't begun.
    """

    error: str
    step: Step | None


class GraphTask:
    """One backward under way. See Note [The algorithm].

    Attributes:
        graph: The graph, its ids the keys of everything here.
        dependencies: For each node, how many gradients it still waits for.
        current: The id of the node that is running or ran last; ``None`` before the first.
        failed: The id of the node that raised, after which nothing goes on; ``None`` where none has.
        steps: The steps so far.

    Args:
        graph: The graph.
        nodes: Its live nodes, by id.
        registered: How many hooks had been registered before the graph was captured.
        inputs: As for ``Engine``.
        create_graph: As for ``Engine``.
        writes_grad: Whether ``.grad`` is written.
        meter: Measures gradients.
    """

    def __init__(
        self,
        graph: Graph,
        nodes: Sequence[Any],
        registered: int,
        *,
        inputs: Any,
        create_graph: bool,
        writes_grad: bool,
        meter: Meter,
    ) -> None:
        self.graph = graph
        self._nodes = nodes
        self._create_graph = create_graph
        self._writes_grad = writes_grad
        self._meter = meter
        self._ids = {node: node_id for node_id, node in enumerate(nodes)}
        self._exec_info = ExecInfo(graph, self._ids, inputs, retain=writes_grad)
        self._slots = Slots(graph, nodes)
        self._tensor_hooks = TensorHooks(nodes, create_graph=create_graph, writes_grad=writes_grad)
        self._node_hooks = call.NodeHooks(registered, graph)
        self._number = _which_backward.new_number()
        nexts = [[edge and edge[:2] for edge in node.next] for node in graph.nodes]
        self.dependencies = dependencies(nexts, [root[:2] for root in graph.roots])
        self.current: int | None = None
        self.failed: int | None = None
        self.steps: list[Step] = []
        self._raised: Raised | None = None
        self._under_way: tuple[Grads, int] | None = None
        self._unrun: Grads | None = None
        self._queue: ReadyQueue[int] = ReadyQueue()
        self._buffers: dict[int, InputBuffer] = {}
        self._grads: dict[str, torch.Tensor] = {}
        self._callbacks: list[Callable[[], object]] = []
        self._began = time.perf_counter_ns()

    def _begin(self, gradients: Grads) -> None:
        """Sends each root its gradient. See Note [The root node]."""
        gradients = self._slots.fitting(gradients, self.graph.roots)
        with _settings.grad_mode(self._create_graph):
            self._send(None, self.graph.roots, gradients, self._measured(gradients))
        (node, input_nr, _), *others = self.graph.roots
        if not others and not self._exec_info.needed[node]:
            grads: list[torch.Tensor | None] = [None] * len(self.graph.nodes[node].grad_outputs)
            grads[input_nr] = gradients[0]
            self._unrun = tuple(grads)

    def _pass_unneeded_root(self) -> None:
        """Calls the hooks of an only output that isn't run, once. See Note [Exec info] in ``exec_info.py``."""
        grads, self._unrun = self._unrun, None
        if grads is None:
            return
        self.current = node_id = self.graph.roots[0].node
        try:
            self._tensor_hooks.through(self._nodes[node_id], grads)
        except BaseException as error:
            self.failed = node_id
            self._raised = Raised(described(error), None)
            raise
        self.current = None
        self._call_back()

    def _next(self) -> Step:
        """Takes the node with the highest ``sequence_nr`` of those that are ready, and has it take its turn."""
        self.current = node_id = self._queue.pop()
        buffer = self._buffers.pop(node_id)
        arrived = tuple(buffer.arrived)
        self._under_way = None
        try:
            step = self._turn(node_id, buffer.taken_out(), arrived)
        except BaseException as error:
            self.failed = node_id
            self._raised = Raised(described(error), self._unfinished(node_id, arrived))
            raise
        finally:
            self._under_way = None
        if not self._queue:
            self._call_back()
        return step

    def _runs(self, grads: Grads, started: int) -> None:
        """Notes that the node itself begins, with its gradients as the hooks before it left them."""
        self._under_way = grads, started

    def _unfinished(self, node_id: int, arrived: tuple[Contribution, ...]) -> Step | None:
        """The step of a node that raised; ``None`` where a hook before it did."""
        if self._under_way is None:
            return None
        grads, started = self._under_way
        came = self._measured(grads)
        return Step(len(self.steps), node_id, came, (), started - self._began, None, contributions=arrived)

    def _call_back(self) -> None:
        """``exec_post_processing``. See Note [Final callbacks]."""
        while self._callbacks:
            self._callbacks.pop(0)()

    def _turn(self, node_id: int, grads: Grads, arrived: tuple[Contribution, ...]) -> Step:
        """``evaluate_function``: one node's turn. See Note [The order of hooks] in ``call.py``."""
        node, record = self._nodes[node_id], self.graph.nodes[node_id]
        if _python_function.is_function(node):
            turn = self._function(node, record, grads, arrived)
        else:
            turn = self._cpp(node, record, grads)
        del grads
        call.refuse_nan(record.name, turn.returned)
        went = self._measured(turn.returned)
        step = Step(
            len(self.steps), node_id, turn.came, went, turn.started - self._began, turn.ended - turn.started,
            contributions=arrived, accumulation=turn.accumulation,
        )  # fmt: skip
        self.steps.append(step)
        self._ran(node_id, turn.grads, turn.returned)
        self._send(node_id, record.next, turn.returned, went)
        return step

    def _cpp(self, node: Any, record: Node, grads: Grads) -> _Turn:
        """The turn of a C++ node."""
        node_id = record.id
        grads = self._tensor_hooks.through(node, grads)
        if record.kind != "accumulate":  # a leaf's gradient is captured as it's put away
            self._capture(node_id, grads)
        grads = call.through(self._node_hooks.before(node_id, node), grads)
        came = self._measured(grads)
        has_hooks = bool(self._node_hooks.after(node_id, node))
        started = time.perf_counter_ns()
        self._runs(grads, started)
        returned: Grads = ()
        accumulation = None
        if record.kind == "accumulate":
            accumulation = self._leaf(node, record, grads, came)
        else:
            returned = self._exec_info.computed(
                call.run(node, grads, create_graph=self._create_graph), record
            )
            returned = self._slots.fitting(returned, record.next, record.name)
        ended = time.perf_counter_ns()
        returned = self._through_post_hooks(node, node_id, returned, grads, has_hooks)
        return _Turn(grads, came, returned, started, ended, accumulation)

    def _function(self, node: Any, record: Node, grads: Grads, arrived: Sequence[Contribution]) -> _Turn:
        """The turn of a Python Function's node. See Note [What a Python Function returns] in ``call.py``."""
        undefined = all(grad is None for grad in grads)
        ran = call.run_function(
            node, grads, arrived[0].input_nr,
            self._tensor_hooks.called_with_none(node) if undefined else (),
            create_graph=self._create_graph, writes_grad=self._writes_grad, begins=self._runs,
        )  # fmt: skip
        self._capture(record.id, ran.hooked)
        returned = self._through_post_hooks(node, record.id, ran.returned, ran.came, ran.had_hooks)
        return _Turn(ran.came, self._measured(ran.came), returned, ran.started_ns, ran.ended_ns, None)

    def _through_post_hooks(
        self, node: Any, node_id: int, returned: Grads, grads: Grads, had_hooks: bool
    ) -> Grads:
        """Hooks that were put on while the node ran don't see what came in: torch has let go of it by then."""
        return call.through(self._node_hooks.after(node_id, node), returned, grads if had_hooks else ())

    def _leaf(self, node: Any, record: Node, grads: Grads, came: Stats) -> Accumulation:
        """What an ``AccumulateGrad`` does. See Note [What a replay leaves alone]."""
        assert record.variable is not None
        if self._writes_grad:
            accumulation, kept = accumulate.written(grads, node, self._meter, create_graph=self._create_graph)
            if kept is not None:
                self._grads[record.variable] = kept
                self._capture(record.id, (kept,))
            return accumulation
        if grads[0] is None:
            return Accumulation("nothing")
        gradient, how = accumulate.accumulated(grads, _nodes.variable(node), create_graph=self._create_graph)
        self._grads[record.variable] = gradient
        self._capture(record.id, grads if self._create_graph else (gradient,))
        return Accumulation(how, None, came[0])

    def _capture(self, node_id: int, grads: Grads) -> None:
        """Keeps those gradients that ``inputs=`` asked for."""
        for slot, name in self._exec_info.wanted.get(node_id, ()):
            grad = grads[slot]
            if grad is not None:
                self._grads[name] = grad

    def _send(self, sender: int | None, edges: Sequence[Edge | None], grads: Grads, stats: Stats) -> None:
        """Sends gradients along edges; a node that has received all of its own becomes ready."""
        for slot, (edge, grad) in enumerate(zip(edges, grads, strict=True)):
            if edge is None:
                continue
            node, input_nr, _ = edge
            self.dependencies[node] -= 1
            if not self._exec_info.needed[node]:
                continue
            buffer = self._buffers.get(node)
            if buffer is None:
                buffer = self._buffers[node] = InputBuffer(len(self.graph.nodes[node].grad_outputs))
            buffer.add(grad, Contribution(input_nr, sender, slot, stats[slot]))
            if self.dependencies[node] == 0:
                self._queue.push(self.graph.nodes[node].sequence_nr, node)

    def _ran(self, node_id: int, grad_outputs: Grads, grad_inputs: Grads) -> None:
        """Called after each step; a subclass sees the gradients themselves here."""

    def _become_a_backward(self, held: Hold) -> None:
        """Sets what is set while nodes run. See Note [The backward of a backward]."""
        _settings.set_grad_mode(held, self._create_graph)
        _which_backward.as_backward(
            held,
            _which_backward.Backward(
                self._number,
                self._running,
                self._will_run,
                self._exec_info.everything,
                self._callbacks.append,
            ),
        )

    def _running(self) -> Any:
        return None if self.current is None else self._nodes[self.current]

    def _will_run(self, node: Any) -> bool:
        node_id = self._ids.get(node)
        return node_id is not None and self._exec_info.needed[node_id]

    def _measured(self, grads: Grads) -> Stats:
        return tuple(map(self._measure, grads)) if self._meter.measures else (None,) * len(grads)

    def _measure(self, grad: torch.Tensor | None) -> GradStats | None:
        measure = self._meter.measure(grad)
        return None if measure is None else measure.finish()
