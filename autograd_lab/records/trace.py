"""What a backward did, as plain data: what ``trace``, ``watch`` and ``replay`` return.

Relies on the standard library only. ``Trace.grads`` and ``Trace.kept`` are the two places where a record may hold live
tensors; they are left out of comparisons and of files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeGuard

from autograd_lab.records.display import DisplayMixin
from autograd_lab.records.graph import GradStats, Graph, Source


class Contribution(NamedTuple):
    """One gradient that arrived in an input buffer.

    Attributes:
        input_nr: The slot of the receiving node's ``grad_outputs``.
        source: The id of the node that sent it; ``None`` for what the backward was started with.
        slot: Which of the sender's ``grad_inputs`` it is; of what the backward was started with, which output's.
        stats: The gradient.

    Example:
        >>> Contribution(0, source=3, slot=1).source
        3
    """

    input_nr: int
    source: int | None
    slot: int = 0
    stats: GradStats | None = None


class Accumulation(NamedTuple):
    """What happened to a leaf's ``.grad``.

    Attributes:
        how: What the engine did, before any post-accumulate hook: ``"stole"`` (``.grad`` is the very tensor that came),
            ``"copied"``, ``"stole or copied"`` (which of the two can't be told for a tensor subclass with code of its
            own), ``"added"`` (into the tensor that was there), ``"replaced"`` (by a new sum, as under
            ``create_graph``) or ``"nothing"`` (no gradient came).
        before: What was in ``.grad``; ``None`` if it was ``None`` or statistics weren't asked for.
        after: What is in it after the hooks, likewise; some set it to ``None``.

    Example:
        >>> Accumulation("stole").how
        'stole'
    """

    how: str
    before: GradStats | None = None
    after: GradStats | None = None


class Kernel(NamedTuple):
    """An ATen kernel that ran while a node's turn lasted.

    Attributes:
        name: As torch says it: ``"aten::mul.Tensor"``.
        by: Who ran it: ``"node"``; ``"validate_outputs"``, the engine's reducing of what the node returned to the
            receiving slot's shape and dtype; ``"input_buffer"``, the engine's adding up; ``"hook"``, a user's hook on
            the node or its tensors, and whatever that starts; ``"engine"``, something else of the engine's. ``None``
            where torch can't tell (see ``_torch/kernels.py``).

    Example:
        >>> Kernel("aten::sum.dim_IntList", "validate_outputs").hidden
        True
    """

    name: str
    by: str | None = "node"

    @property
    def hidden(self) -> bool:
        """Whether it was the engine's own, which no formula shows."""
        return self.by in ("validate_outputs", "input_buffer", "engine")


class Step(NamedTuple):
    """One run of one node.

    Attributes:
        index: Its index in the order in which the nodes ran.
        node: The node's id.
        grad_outputs: What came in, one entry for each slot, after the input buffer summed it and hooks had their
            say; ``None`` for an undefined gradient or without statistics.
        grad_inputs: What it returned, one entry for each edge, after the engine reduced it to shape; likewise.
        started_ns: Nanoseconds since the backward began.
        duration_ns: Nanoseconds that it took.
        thread: The thread that ran it, numbered from 0 in the order met.
        kernels: The kernels that it ran, where they were asked for.
        contributions: What arrived in its input buffer, in the order of arrival.
        accumulation: For a leaf, what happened to ``.grad``.

    Example:
        >>> Step(0, 4).node
        4
    """

    index: int  # type: ignore[assignment] # a tuple's method of that name isn't missed here
    node: int
    grad_outputs: tuple[GradStats | None, ...] = ()
    grad_inputs: tuple[GradStats | None, ...] = ()
    started_ns: int | None = None
    duration_ns: int | None = None
    thread: int = 0
    kernels: tuple[Kernel, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    accumulation: Accumulation | None = None


class Kept(NamedTuple):
    """A node's gradients themselves, as copies.

    Attributes:
        grad_outputs: What came in: a tensor for each slot, ``None`` where it was undefined.
        grad_inputs: What it returned, likewise; empty if it never did.

    Example:
        >>> Kept((), ()).grad_inputs
        ()
    """

    grad_outputs: tuple[Any, ...]
    grad_inputs: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace(DisplayMixin):
    """A backward as it ran.

    Attributes:
        graph: The graph that it ran on, captured before it began.
        steps: The nodes' runs, in the order in which they happened.
        total_ns: Nanoseconds from beginning to end.
        error: What the backward raised, as text; the steps are then those that ran until it did.
        grads: A leaf's name → its gradient tensor, where gradients were kept. Not compared, not saved.
        kept: A node's id → its gradients, where they were kept. Not compared, not saved.
        number: Which backward of a watch it was: 0, 1, …; those inside another don't count.
        within: For a backward inside another one (a hook's, a reentrant checkpoint's), the id of the node, in the
            other one's graph, whose turn it was.
        started: The user's line that started it, where it was watched.
        unread: Why its graph couldn't be read, where it couldn't; then there are no nodes and no steps.

    Example:
        >>> Trace(Graph((), ()), ()).steps
        ()
    """

    graph: Graph
    steps: tuple[Step, ...]
    total_ns: int | None = None
    error: str | None = None
    grads: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    kept: Mapping[int, Kept] = field(default_factory=dict, compare=False, repr=False)
    number: int = 0
    within: int | None = None
    started: Source | None = None
    unread: str | None = None

    def step(self, node: int) -> Step:
        """Returns the step of a node.

        Args:
            node: A node's ``id``.

        Returns:
            Its step.

        Raises:
            KeyError: The node didn't run.
        """
        for step in self.steps:
            if step.node == node:
                return step
        raise KeyError(f"node {node} did not run")

    def validate(self) -> None:
        """Checks that steps are in order and name nodes that are there.

        Raises:
            ValueError: Names the field that is wrong.
        """
        self.graph.validate()
        for index, step in enumerate(self.steps):
            if step.index != index:
                raise ValueError(f"steps[{index}].index: expected {index}, found {step.index}")
            if not 0 <= step.node < len(self.graph):
                raise ValueError(f"steps[{index}].node: there is no node {step.node}")


class Traces(list[Trace], DisplayMixin):
    """A list of traces that shows itself: a row for each, as ``str()`` and in a notebook.

    Example:
        >>> Traces([Trace(Graph((), ()), ())])
        <Traces: 1 backward>
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Traces: {len(self)} backward{'' if len(self) == 1 else 's'}>"


def are_traces(thing: object) -> TypeGuard[Sequence[Trace]]:
    """Returns whether something is a list of traces, and not an empty one.

    Args:
        thing: Anything.

    Example:
        >>> are_traces([]), are_traces([Trace(Graph((), ()), ())])
        (False, True)
    """
    return isinstance(thing, list | tuple) and bool(thing) and all(isinstance(each, Trace) for each in thing)
