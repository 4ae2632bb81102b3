"""A module as one box: how much lies in it, and what flowed through it.

Relies on the records, ``plan``, which sums up, and ``picture``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from autograd_lab.draw import digits
from autograd_lab.draw.digits import count
from autograd_lab.draw.picture import Box, Line
from autograd_lab.draw.plan.collapse import Part
from autograd_lab.draw.plan.sums import came_in, elements, gradients_of, together
from autograd_lab.draw.words import held, ids
from autograd_lab.records import Graph, Node, Step


def module_box(part: Part, graph: Graph) -> Box:
    """Draws a module as one box.

    Args:
        part: What the box stands for.
        graph: The graph.

    Returns:
        The box: the module's path and class, its nodes, its leaves with their elements, and the bytes that its saved
        tensors keep alive, as ``held`` writes them.

    Example:
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0, module="act"),), ())
        >>> [line.text for line in module_box(Part("m0", (0,), None, "act"), graph).lines]
        ['act', '1 node: ExpBackward0']
    """
    nodes = [graph.nodes[i] for i in part.nodes]
    return Box(
        part.key,
        (
            Line(part.module or "", "title"),
            *([Line(part.kind, "quiet")] if part.kind else []),
            *(Line(text) for text in _texts(part, nodes)),
        ),
        "module",
        f"{part.module}\nnode{'s' if len(nodes) > 1 else ''} {ids(part.nodes)}",
        part.clusters,
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
    ran = [steps[i] for i in part.nodes if i in steps]
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
    norms = {"in": came_in(part.nodes, came, steps), "out": together(gradients_of(went, steps))}
    texts = [f"{what} {digits.number(norm)}" for what, norm in norms.items() if norm is not None]
    if texts:
        yield Line(f"gradients {', '.join(texts)}", "gradient")


def _texts(part: Part, nodes: list[Node]) -> Iterator[str]:
    each = " each" if part.times > 1 else ""
    per_block = len(nodes) // part.times
    yield count(per_block, "node") + each + (f": {nodes[0].name}" if per_block == 1 else "")
    leaves = [node for node in nodes if node.kind == "accumulate"]
    if leaves:
        sizes = elements(leaves)
        known = "" if sizes is None else f" ({count(sizes // part.times, 'element')})"
        yield f"{count(len(leaves) // part.times, 'leaf', 'leaves')}{each}{known}"
    if kept := held(nodes):
        yield f"saved {kept}{' in all' if each else ''}"
