"""What a backward did, as plain data: what ``trace``, ``watch`` and ``replay`` return.

Relies on the standard library only. ``Trace.grads`` is the one place where a record may hold live tensors; it is
left out of comparisons and of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autograd_lab.records.display import DisplayMixin
from autograd_lab.records.graph import Graph, TensorMeta
from autograd_lab.records.scalar import Number


class GradStats(NamedTuple):
    """A gradient in a few numbers; what was not asked for is ``None``.

    Attributes:
        meta: Its shape, dtype and device.
        norm: The 2-norm of its elements.
        max_abs: The largest magnitude.
        mean: The mean.
        zeros: How many elements are exactly zero.
        nans: How many elements are NaN; counted where the norm isn't finite.
        infs: How many elements are infinite; counted where the norm isn't finite.

    Example:
        >>> GradStats(TensorMeta((), "float32", "cpu"), norm=8.0).norm
        8.0
    """

    meta: TensorMeta
    norm: float | None = None
    max_abs: float | None = None
    mean: Number | None = None
    zeros: int | None = None
    nans: int | None = None
    infs: int | None = None


class Contribution(NamedTuple):
    """One gradient that arrived in an input buffer.

    Attributes:
        input_nr: The slot of the receiving node's ``grad_outputs``.
        source: The id of the node that sent it; ``None`` for what the backward was started with.
        slot: Which of the sender's ``grad_inputs`` it is.
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
        how: ``"stole"`` (``.grad`` is the very tensor that came), ``"copied"``, ``"added"`` (into the tensor that
            was there), ``"replaced"`` (by a new sum, as under ``create_graph``) or ``"nothing"`` (no gradient came).
        before: What was in ``.grad``; ``None`` if it was ``None`` or statistics weren't asked for.
        after: What is in it now, likewise.

    Example:
        >>> Accumulation("stole").how
        'stole'
    """

    how: str
    before: GradStats | None = None
    after: GradStats | None = None


class Kernel(NamedTuple):
    """An ATen kernel that a node ran.

    Attributes:
        name: As torch says it: ``"aten::mul.Tensor"``.
        hidden: Whether the engine ran it after the node was done: a sum into an input buffer. What reduces a
            gradient to its slot's shape runs before the node's post-hooks and isn't told apart.

    Example:
        >>> Kernel("aten::mul.Tensor").hidden
        False
    """

    name: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One run of one node.

    Attributes:
        index: Its place in the order in which the nodes ran.
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

    index: int
    node: int
    grad_outputs: tuple[GradStats | None, ...] = ()
    grad_inputs: tuple[GradStats | None, ...] = ()
    started_ns: int | None = None
    duration_ns: int | None = None
    thread: int = 0
    kernels: tuple[Kernel, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    accumulation: Accumulation | None = None


@dataclass(frozen=True, slots=True)
class Trace(DisplayMixin):
    """A backward as it ran.

    Attributes:
        graph: The graph that it ran on, captured before it began.
        steps: The nodes' runs, in the order in which they happened.
        total_ns: Nanoseconds from beginning to end.
        error: What the backward raised, as text; the steps are then those that ran until it did.
        grads: A leaf's name → its gradient tensor, where gradients were kept. Not compared, not saved.

    Example:
        >>> Trace(Graph((), ()), ()).steps
        ()
    """

    graph: Graph
    steps: tuple[Step, ...]
    total_ns: int | None = None
    error: str | None = None
    grads: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def step(self, node: int) -> Step:
        """Gives the step of a node.

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
        """Checks that steps are in their places and name nodes that are there.

        Raises:
            ValueError: Names the field that is wrong.
        """
        self.graph.validate()
        for place, step in enumerate(self.steps):
            if step.index != place:
                raise ValueError(f"steps[{place}].index: expected {place}, found {step.index}")
            if not 0 <= step.node < len(self.graph):
                raise ValueError(f"steps[{place}].node: there is no node {step.node}")
