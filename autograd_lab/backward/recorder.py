"""``Recorder``: the hooks on every node while the native engine runs a backward, and the records of what they saw.

The hooks live in ``turn.py``, whose Notes say which backward they observe, and when.

Note [Contributions]
What a node returns for an edge is what arrives in the receiving input buffer, and the engine sends a node's gradients
as soon as it has run. So the contributions to a fan-in, and their order, are the ``grad_inputs`` of the steps before,
read off in the order in which these ended; nothing has to watch the buffers. What the backward was started with comes
first.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns
from typing import TypeAlias, TypeVar

import torch
from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import engine as _engine, hooks as _hooks, nodes as _nodes
from autograd_lab.backward.kernels import KernelLog
from autograd_lab.backward.leaf import Leaf
from autograd_lab.backward.stats import Meter, bring, finished
from autograd_lab.backward.turn import Measures, Running, Turn
from autograd_lab.errors import OptionError
from autograd_lab.exceptions import described
from autograd_lab.hold import Hold
from autograd_lab.records import Contribution, Graph, Kept, Node, Step, Trace
from autograd_lab.records.graph import rows

Keeps: TypeAlias = Callable[[Node], bool]
Keep: TypeAlias = str | Keeps | None
T = TypeVar("T")


class Recorder:
    """Registers the hooks, gathers what they see, and turns it into records when the backward is over.

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
        self._kernels = KernelLog() if kernels else None
        kept = () if keeps is None else frozenset(node.id for node in graph.nodes if keeps(node))
        self._running = Running(meter, self._kernels, kept)
        self._ran: Sequence[Turn] = ()
        self._starts: Measures = ()
        self._began = 0
        self._total: int | None = None

    def run(self, backward: Callable[[], T], grad_tensors: Sequence[torch.Tensor | None]) -> T:
        """Runs a backward under the hooks.

        Args:
            backward: What runs it.
            grad_tensors: What it's started with, one for each root.

        Returns:
            What it returned.
        """
        __tracebackhide__ = True
        self._starts = tuple(map(self._meter.measure, grad_tensors))
        with Hold() as held:
            held.add(self._over)
            _hooks.put_on(held, self._nodes, self._turns())
            _engine.mark(held, self._running.mark)
            if self._kernels is not None:
                self._kernels.watch(held)
            self._began = perf_counter_ns()
            result = backward()
            self._total = perf_counter_ns() - self._began
        return result

    def is_for(self, backward: int) -> bool:
        """Returns whether this records the backward that this thread is running, even before any hook has fired.

        Args:
            backward: Its number, as ``_torch.engine.current_backward`` gives it.
        """
        return self._running.number == backward or self._running.claims(backward)

    def turn(self) -> int | None:
        """Returns the id of the node that runs on this thread; ``None`` if none of this graph's does."""
        now = _engine.current_node()
        return next((index for index, node in enumerate(self._nodes) if node is now), None)

    def _over(self) -> None:
        self._ran = self._running.ran or self._ran
        self._running.ran = []  # a turn knows what is running: no circles
        for turn in self._ran:
            if turn.leaf is not None:  # one whose turn raised
                turn.leaf.close()
        self._nodes = ()

    def _turns(self) -> list[Turn]:
        turns = [Turn(node, self._running) for node in range(len(self._nodes))]
        for leaf in self.graph.leaves:
            turns[leaf.id].leaf = Leaf(_nodes.variable(self._nodes[leaf.id]), self._meter)
        return turns

    # --- afterwards --------------------------------------------------------------------

    def trace(self, error: BaseException | None = None) -> Trace:
        """Returns the record of what was seen.

        Args:
            error: What the backward raised.

        Returns:
            The trace.
        """
        ran = self._ran
        sights = [turn.sight for turn in ran]
        bring(itertools.chain(self._starts, *(sight.grad_outputs + sight.grad_inputs for sight in sights)))
        arrived = self._arrived()
        kernels = {} if self._kernels is None else self._kernels.by_node()
        threads = {thread: index for index, thread in enumerate(dict.fromkeys(turn.thread for turn in ran))}
        columns = (
            range(len(ran)),
            [turn.node for turn in ran],
            [tuple(map(finished, sight.grad_outputs)) for sight in sights],
            [tuple(map(finished, sight.grad_inputs)) for sight in sights],
            [turn.started - self._began if turn.started else None for turn in ran],
            [turn.ended - turn.started if turn.ended else None for turn in ran],
            [threads[turn.thread] for turn in ran],
            [kernels.get(turn.node, ()) for turn in ran],
            [tuple(arrived.get(turn.node, ())) for turn in ran],
            [turn.leaf and turn.leaf.accumulation() for turn in ran],
        )
        raised = None if error is None else described(error)
        kept = {turn.node: turn.sight.kept for turn in ran if turn.sight.kept}
        return Trace(self.graph, rows(Step, columns), self._total, raised, self._leaf_grads(kept), kept)

    def _arrived(self) -> dict[int, list[Contribution]]:
        """See Note [Contributions]. Without statistics it isn't known which gradients were undefined."""
        arrived: dict[int, list[Contribution]] = {}
        starts = itertools.chain(self._starts, itertools.repeat(None))  # it may not have come to a start
        for slot, (root, start) in enumerate(zip(self.graph.roots, starts, strict=False)):
            arrived.setdefault(root.node, []).append(Contribution(root.input_nr, None, slot, finished(start)))
        ended = [turn for turn in self._ran if turn.ended]
        ended.sort(key=operator.attrgetter("ended"))
        for turn in ended:
            sender, sent = turn.node, turn.sight.grad_inputs
            for slot, edge in enumerate(self.graph.nodes[sender].next):
                if edge is not None:
                    stats = finished(sent[slot]) if slot < len(sent) else None
                    arrived.setdefault(edge.node, []).append(Contribution(edge.input_nr, sender, slot, stats))
        return arrived

    def _leaf_grads(self, kept: Mapping[int, Kept]) -> dict[str, torch.Tensor]:
        return {
            node.variable: kept[node.id].grad_outputs[0]
            for node in self.graph.leaves
            if node.variable is not None and node.id in kept and kept[node.id].grad_outputs[0] is not None
        }


def chooser(keep: Keep) -> Keeps | None:
    """Returns a user's ``keep`` as a predicate.

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
    raise OptionError(
        f"keep={keep!r} chooses no nodes; use None, 'all' or a function of a Node that returns a bool"
    )
