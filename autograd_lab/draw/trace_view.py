"""The ``"trace"`` view: a backward graph with what flowed through it.

Relies on ``graph_view``, which draws the graph; this adds the norms of gradients to boxes and arrows. Promises to add
nothing where nothing was measured or a node didn't run.
"""

from __future__ import annotations

from autograd_lab.draw.graph_view import graph_picture
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.trace_text import gradient
from autograd_lab.records import Step, Trace


def trace_picture(trace: Trace, *, saved: bool = False, direction: str = "down", title: str = "") -> Picture:
    """Makes the picture of a trace.

    Args:
        trace: The trace.
        saved: As for ``graph_picture``.
        direction: As for ``graph_picture``.
        title: As for ``graph_picture``.

    Returns:
        The graph's picture; each box also says when its node ran, each arrow the norm of the gradient it carried.

    Example:
        >>> from autograd_lab.records import Edge, Graph, Node
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0),), (Edge(0, 0, "loss"),))
        >>> [line.text for line in trace_picture(Trace(graph, (Step(0, 0),))).boxes[1].lines]
        ['ExpBackward0', 'step 0']
    """
    picture = graph_picture(trace.graph, saved=saved, direction=direction, title=title)
    steps = {f"n{step.node}": step for step in trace.steps}
    return Picture(
        tuple(_with_step(box, steps.get(box.key)) for box in picture.boxes),
        tuple(_with_gradient(arrow, steps.get(arrow.tail)) for arrow in picture.arrows),
        picture.title,
        picture.direction,
    )


def _with_step(box: Box, step: Step | None) -> Box:
    if step is None:
        return box
    lines = [Line(f"step {step.index}", "quiet")]
    if step.accumulation is not None and step.accumulation.after is not None:
        how = step.accumulation.how
        lines.append(Line(f".grad = {gradient(step.accumulation.after)} ({how})", "gradient"))
    return box._replace(lines=(*box.lines, *lines))


def _with_gradient(arrow: Arrow, step: Step | None) -> Arrow:
    if step is None or not arrow.head.startswith("n") or arrow.look == "saved":
        return arrow
    slot = arrow.tail_slot or 0
    stats = step.grad_inputs[slot] if slot < len(step.grad_inputs) else None
    if stats is None or stats.norm is None:
        return arrow
    return arrow._replace(lines=(*arrow.lines, Line(gradient(stats), "gradient")))
