"""A module as one box: how much lies in it, and what flowed through it.

Relies on the records, ``collapse`` and ``picture``. Promises numbers that were counted: a size that isn't known (a
symbolic one) leaves the sum out, and what wasn't measured isn't there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from autograd_lab.draw import digits
from autograd_lab.draw.digits import count
from autograd_lab.draw.picture import Box, Line
from autograd_lab.draw.views.collapse import Part
from autograd_lab.draw.words import held, ids
from autograd_lab.records import GradStats, Graph, Node, Step

_MOST_IDS = 8


def module_box(part: Part, graph: Graph) -> Box:
    """Draws a module as one box.

    Args:
        part: What the box stands for.
        graph: The graph.

    Returns:
        The box: the module's path, its nodes, its leaves with their elements, and the bytes that its saved tensors keep
        alive, as ``held`` writes them.

    Example:
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0, module="act"),), ())
        >>> [line.text for line in module_box(Part("m0", (0,), None, "act"), graph).lines]
        ['act', '1 node: ExpBackward0']
    """
    nodes = [graph.nodes[at] for at in part.nodes]
    return Box(
        part.key,
        (Line(part.module or "", "title"), *(Line(text) for text in _texts(part, nodes))),
        "module",
        f"{part.module}\nnode{'s' if len(nodes) > 1 else ''} {ids(part.nodes)}",
        part.group,
    )


def step_lines(part: Part, steps: Mapping[int, Step]) -> Iterator[Line]:
    """Writes that a module's nodes ran, or all the nodes that one is drawn for.

    Args:
        part: What the box stands for.
        steps: A node's id → its step.

    Yields:
        How many of the nodes ran and how long they took; nothing where nothing ran.

    Example:
        >>> [line.text for line in step_lines(Part("m0", (0, 1), None, "act"), {0: Step(0, 0, duration_ns=2000)})]
        ['1 of 2 nodes ran, 0.002 ms']
    """
    ran = [steps[at] for at in part.nodes if at in steps]
    if ran:
        number = (
            count(len(ran), "step")
            if len(ran) == len(part.nodes)
            else f"{len(ran)} of {len(part.nodes)} nodes ran"
        )
        times = [step.duration_ns for step in ran if step.duration_ns is not None]
        yield Line(f"{number}, {sum(times) / 1e6:,.4g} ms" if times else number, "quiet")


def gradient_lines(
    part: Part, came: Iterable[tuple[int, int]], went: Iterable[tuple[int, int]], steps: Mapping[int, Step]
) -> Iterator[Line]:
    """Writes the norms of the gradients that came into a module and went out.

    Args:
        part: What the box stands for.
        came: ``(node, slot)`` of each edge that leads into it.
        went: Likewise of each that leads out.
        steps: A node's id → its step.

    Yields:
        One line, if any was measured. What came in is left out where a part of it can't be told from what other
        nodes of the module sent.
    """
    started = _started_with(steps[at] for at in part.nodes if at in steps)
    norms = {
        "in": None if started is None else together([*gradients_of(came, steps), *started]),
        "out": together(gradients_of(went, steps)),
    }
    texts = [f"{what} {digits.number(norm)}" for what, norm in norms.items() if norm is not None]
    if texts:
        yield Line(f"gradients {', '.join(texts)}", "gradient")


def gradients_of(edges: Iterable[tuple[int, int]], steps: Mapping[int, Step]) -> list[GradStats]:
    """Gives the gradients that went along edges.

    Args:
        edges: ``(node, slot)`` of each.
        steps: A node's id → its step.

    Returns:
        Those that were measured.
    """
    found = []
    for node, slot in edges:
        inputs = steps[node].grad_inputs if node in steps else ()
        stats = inputs[slot] if slot < len(inputs) else None
        if stats is not None:
            found.append(stats)
    return found


def together(gradients: Iterable[GradStats]) -> float | None:
    """Gives the norm of gradients laid side by side.

    Args:
        gradients: The gradients.

    Returns:
        The root of the sum of their norms' squares; ``None`` where no norm was measured, or one couldn't be.

    Example:
        >>> from autograd_lab.records import TensorMeta
        >>> meta = TensorMeta((), "float32", "cpu")
        >>> together([GradStats(meta, 3.0), GradStats(meta, 4.0)]), together([])
        (5.0, None)
    """
    stats_of_all = list(gradients)
    if any(stats.unmeasured is not None for stats in stats_of_all):
        return None
    norms = [stats.norm for stats in stats_of_all if stats.norm is not None]
    return math.hypot(*norms) if norms else None


def _texts(part: Part, nodes: list[Node]) -> Iterator[str]:
    each = " each" if part.times > 1 else ""
    number = len(nodes) // part.times
    yield count(number, "node") + each + (f": {nodes[0].name}" if number == 1 else "")
    leaves = [node for node in nodes if node.kind == "accumulate"]
    if leaves:
        sizes = elements(leaves)
        known = "" if sizes is None else f" ({count(sizes // part.times, 'element')})"
        yield f"{count(len(leaves) // part.times, 'leaf', 'leaves')}{each}{known}"
    if kept := held(nodes):
        yield f"saved {kept}{' in all' if each else ''}"


def elements(leaves: Iterable[Node]) -> int | None:
    """Counts the elements of leaves.

    Args:
        leaves: ``AccumulateGrad`` nodes.

    Returns:
        The number; ``None`` where a shape isn't known.
    """
    total = 0
    for leaf in leaves:
        shape = leaf.grad_outputs[0].shape if leaf.grad_outputs else None
        if shape is None:
            return None
        sizes = [size for size in shape if isinstance(size, int)]
        if len(sizes) < len(shape):
            return None
        total += math.prod(sizes)
    return total


def _started_with(ran: Iterable[Step]) -> list[GradStats] | None:
    """What the backward was started with, where it entered these nodes; ``None`` where that can't be told.

    It wasn't measured by itself, but where nothing else came into a slot, it's what the slot got.
    """
    found = []
    for step in ran:
        slots = [arrived.input_nr for arrived in step.contributions]
        for arrived in step.contributions:
            if arrived.source is None:
                stats = (
                    step.grad_outputs[arrived.input_nr] if arrived.input_nr < len(step.grad_outputs) else None
                )
                if stats is None or slots.count(arrived.input_nr) > 1:
                    return None
                found.append(stats)
    return found
