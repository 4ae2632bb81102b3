"""``Engine`` and ``replay``: a backward that can be stopped at every node, and looked at.

The order is the native engine's and so is every bit; ``check_engine`` proves it for a graph. The algorithm itself is in
``graph_task.py``, to be read in one sitting; here is what a user sees of it.

Note [What a replay leaves alone]
No ``.grad`` is written, so hooks that are about ``.grad`` aren't called: post-accumulate-grad hooks don't run, and what
``Tensor.retain_grad`` would have written is put back. All other hooks run, and what they change is taken over. What the
nodes saved isn't freed. Random numbers are drawn as in a native run. A reentrant checkpoint's own backward writes
``.grad`` as always. With ``accumulate=True`` all of ``.grad`` is written as the native engine does, in the memory in
which it would be: what a leaf steals is a copy in ``grads``.

Limits: C++ hooks that aren't on a tensor (DDP's) aren't called, and callbacks that C++ code queues run when the node
that queued them has run. Where all gradients of a node are undefined, torch calls the hooks on its tensors with
``None``: here those on a tensor that nobody holds any more aren't called, or see zeros if a Function made it. A
gradient's layout isn't compared with that of its slot, which torch doesn't tell.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from autograd_lab._torch import glass as _glass, hooks as _hooks, nodes as _nodes, tensors as _tensors
from autograd_lab._torch.grounds import need
from autograd_lab.backward import stops
from autograd_lab.backward.buffers import Buffer
from autograd_lab.backward.graph_task import GraphTask
from autograd_lab.backward.stats import Meter, StatsLevel, checked
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import Names
from autograd_lab.capture.outputs import Outputs, starts
from autograd_lab.capture.places import called
from autograd_lab.errors import GraphError, OptionError
from autograd_lab.exceptions import attach
from autograd_lab.hold import Hold
from autograd_lab.records import Step, Trace


class Engine(GraphTask):
    """The glass engine: one backward, a node at a time. See Note [The algorithm] in ``graph_task.py``.

    Attributes:
        graph: The graph, its ids the keys of everything here.
        dependencies: For each node, how many gradients it still waits for.
        current: The id of the node that is running or ran last; ``None`` before the first.
        failed: The id of the node that raised, after which nothing goes on; ``None`` where none has.
        steps: The steps so far.

    Args:
        outputs: A tensor of any shape, a ``GradientEdge``, or any nesting of list, tuple and dict of them.
        model: As for ``capture``.
        names: As for ``capture``.
        grad_tensors: As for ``torch.autograd.backward``: what each output's gradient starts as.
        inputs: As for ``torch.autograd.backward``: only what leads to these is run. See Note [Exec info] in
            ``exec_info.py``.
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
        model: torch.nn.Module | None = None,
        *,
        names: Names | None = None,
        grad_tensors: Any = None,
        inputs: Any = None,
        create_graph: bool = False,
        stats: StatsLevel = "norm",
        accumulate: bool = False,
    ) -> None:
        need("Engine")
        meter = Meter(checked(stats))
        self._outputs = _checked_starts(outputs)  # keeps the graph alive
        registered = _hooks.registered()
        with _tensors.no_torch_function():
            graph, nodes = live(outputs, model=model, names=names, called=called())
        gradients = _glass.start_gradients(self._outputs, grad_tensors)
        super().__init__(
            graph, nodes, registered, inputs=inputs, create_graph=create_graph, writes_grad=accumulate, meter=meter
        )  # fmt: skip
        self._stopped_before: int | None = None
        self._begin(gradients)

    # --- what can be seen --------------------------------------------------------------

    @property
    def next(self) -> int | None:
        """The id of the node that runs next; ``None`` when it's done."""
        return self._queue.first() if self._queue else None

    @property
    def ready(self) -> list[int]:
        """The ids of the nodes whose gradients have all arrived, the next to run first."""
        return self._queue.in_order()

    @property
    def buffers(self) -> dict[int, Buffer]:
        """Node's id → its input buffer, for all nodes that something has arrived at and that didn't run yet."""
        return {
            node: Buffer(tuple(buffer.grads), tuple(buffer.arrived), self.dependencies[node])
            for node, buffer in sorted(self._buffers.items())
        }

    @property
    def done(self) -> bool:
        """Whether there's no node left to run."""
        return not self._queue

    @property
    def grads(self) -> Mapping[str, torch.Tensor]:
        """A leaf's name → its gradient, so far; with ``inputs``, also ``"inputs[0]"`` → the first's."""
        return MappingProxyType(self._grads)

    @property
    def trace(self) -> Trace:
        """The record of the steps so far; if a node raised, with its step as far as it got, and what it raised."""
        error, last = self._raised or (None, None)
        total = time.perf_counter_ns() - self._began if error is None else None
        steps = self.steps if last is None else [*self.steps, last]
        return Trace(self.graph, tuple(steps), total, error, MappingProxyType(dict(self._grads)))

    def saved(self, node: int) -> dict[str, Any]:
        """Returns what a node has saved now.

        Args:
            node: Its id.

        Returns:
            Names as in ``Saved.name`` → tensors and plain values; nothing is unpacked.
        """
        return dict(_nodes.saved_values(self._nodes[node]))

    def leaf(self, node: int) -> torch.Tensor:
        """Returns the leaf that an ``AccumulateGrad`` feeds.

        Args:
            node: The node's id.

        Returns:
            The user's own tensor.
        """
        return _nodes.variable(self._nodes[node])

    def _refuse_after_failure(self) -> None:
        if self.failed is not None:
            raise OptionError(
                f"node {self.failed} has raised, so nothing can go on; make a new Engine to begin again"
            )

    def __repr__(self) -> str:
        upcoming = "done" if self.next is None else f"next is #{self.next} {self.graph.nodes[self.next].name}"
        return f"<Engine: {len(self.steps)} of {len(self.graph)} nodes have run, {upcoming}>"

    # --- what can be done --------------------------------------------------------------

    def step(self) -> Step:
        """Runs the next node and sends on what it returns.

        Returns:
            What it did.

        Raises:
            OptionError: There is no node left to run, or one has raised.
            ReleasedError: An earlier backward freed what the node had saved.
            GradientError: The node returned, or a hook made, a gradient that can't be passed on.
        """
        self._refuse_after_failure()
        if self.done:
            raise OptionError(
                "every node has run; make a new Engine to begin again"
                if self.steps
                else "none of inputs= can be reached, so no node is run; use run(), which calls the output's hooks"
            )
        with Hold() as held, _hooks.reading_allowed():
            self._become_a_backward(held)
            return self._next()

    def run(self, until: stops.Until = None) -> Trace:
        """Takes steps until it's done or stopped.

        Args:
            until: A node's id, as ``3`` or ``"#3"``, or a name (the node's own, its leaf's, its module's, or that of a
                named tensor whose gradient flows into it): stops *before* that node runs; where it already stands
                there, at the next one of that name. ``"leaf"``: before each leaf. ``"nonfinite"`` and ``"norm>10"``:
                after a step that took in or gave out NaN or inf, or a gradient of such a norm. A function of a
                ``Step``: after the first for which it's true. ``None``: never.

        Returns:
            The trace so far. If a node raises, so does this, with that trace attached to the exception as
            ``autograd_lab_trace``.

        Raises:
            OptionError: ``until`` names no node, or needs statistics and there are none; or a node has raised.
        """
        self._refuse_after_failure()
        stops_before, stops_after = stops.before(until, self.graph), stops.after(until)
        if stops.measured(until) and not self._meter.measures:
            raise OptionError(f"until={until!r} needs statistics; make the Engine with stats='norm'")
        try:
            with Hold() as held, _hooks.reading_allowed():
                self._become_a_backward(held)
                self._pass_unneeded_root()
                while self._queue:
                    if (upcoming := self._queue.first()) in stops_before and upcoming != self._stopped_before:
                        self._stopped_before = upcoming
                        break
                    if stops_after(self._next()):
                        break
        except Exception as error:
            attach(error, self.trace)
            raise
        return self.trace


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
    """Returns what is in ``outputs``, and refuses what the native engine couldn't start at."""
    found = starts(outputs)
    without = [
        index for index, item in enumerate(found) if isinstance(item, torch.Tensor) and not item.requires_grad
    ]
    if without and len(without) < len(found):
        raise GraphError(f"element {without[0]} of tensors does not require grad and does not have a grad_fn")
    return found
