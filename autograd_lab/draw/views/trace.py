"""The ``"trace"`` view: a backward graph with what flowed through it.

Relies on ``views.graph``, which draws the graph; this adds the norms of gradients to boxes and arrows. Promises to add
nothing where nothing was measured or a node didn't run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from autograd_lab.draw import digits
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.plan.collapse import Link, Part, plan
from autograd_lab.draw.plan.heat import heat as heat_of
from autograd_lab.draw.plan.sums import Ways, gradients_of, together
from autograd_lab.draw.views.caption import trace_note, trace_summary, trace_title
from autograd_lab.draw.views.graph import heated, planned_picture, shown_roots
from autograd_lab.draw.views.legend import legend as explained
from autograd_lab.draw.views.module import gradient_lines, step_lines
from autograd_lab.draw.words import brief
from autograd_lab.records import Edge, GradStats, Step, Trace


def trace_picture(
    trace: Trace,
    *,
    saved: Literal["all"] | bool = False,
    depth: int | None = None,
    repeats: bool = False,
    direction: str | None = None,
    title: str | None = None,
    legend: bool = True,
    heat: str | None = None,
    module: str | None = None,
) -> Picture:
    """Makes the picture of a trace.

    Args:
        trace: The trace.
        saved: As for ``graph_picture``.
        depth: As for ``graph_picture``.
        repeats: As for ``graph_picture``.
        direction: As for ``graph_picture``.
        title: As for ``graph_picture``.
        legend: As for ``graph_picture``.
        heat: What each box is coloured by: ``"norm"``, of the gradient that came in; ``"time"``, that its turn took; or
            ``"saved"``, the memory that it kept for the backward.
        module: As for ``graph_picture``.

    Returns:
        The graph's picture; each box also says when its node ran and, where gradients met, what their sum was; each
        arrow says the norm of the gradient it carried. A module's box says how long its nodes took, and, as an arrow
        that stands for several edges does, the norm of all gradients together: the root of the sum of their norms'
        squares.

    Example:
        >>> from autograd_lab.records import Edge, Graph, Node
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0),), (Edge(0, 0, "loss"),))
        >>> [line.text for line in trace_picture(Trace(graph, (Step(0, 0),))).boxes[1].lines]
        ['ExpBackward0', 'step 0']
    """
    drawn = plan(trace.graph, depth=depth, repeats=repeats, module=module)
    picture = planned_picture(trace.graph, drawn, saved, direction)
    steps = {step.node: step for step in trace.steps}
    parts = {part.key: (index, part) for index, part in enumerate(drawn.parts)}
    links = [link for leaving in drawn.links for link in leaving]
    ways = Ways(trace.graph, drawn.part_of)
    following, starts = iter(links), iter(shown_roots(trace.graph, drawn))
    boxes = tuple(
        _with_steps(box, *parts[box.key], ways, steps) if box.key in parts else box for box in picture.boxes
    )
    arrows = tuple(
        _with_start(arrow, *next(starts), steps)
        if arrow.look == "root"
        else arrow
        if arrow.look == "saved"
        else _with_gradient(arrow, next(following), steps)
        for arrow in picture.arrows
    )
    warm = None if heat is None else heat_of(heat, trace.graph, drawn, trace.steps)
    boxes = boxes if warm is None else heated(boxes, drawn, warm)
    return replace(
        picture,
        boxes=boxes,
        arrows=arrows,
        title=trace_title(trace, module) if title is None else title,
        legend=explained(boxes, arrows, warm) if legend else (),
        summary=trace_summary(trace),
        note=trace_note(trace) if legend else "",
    )


def _with_steps(box: Box, index: int, part: Part, ways: Ways, steps: dict[int, Step]) -> Box:
    if part.node is None:
        gradients = gradient_lines(part, ways.came[index], ways.went[index], steps)
        return box._replace(lines=(*box.lines, *step_lines(part, steps), *gradients))
    if len(part.nodes) > 1:
        return box._replace(lines=(*box.lines, *step_lines(part, steps)))
    step = steps.get(part.node)
    if step is None:
        return box
    lines = [Line(f"step {step.index}", "quiet"), *_sums(step)]
    if step.accumulation is not None and step.accumulation.after is not None:
        how = step.accumulation.how
        lines.append(Line(f"‖.grad‖ = {brief(step.accumulation.after)} ({how})", "gradient"))
    return box._replace(lines=(*box.lines, *lines))


def _sums(step: Step) -> Iterator[Line]:
    """What a node ran with, for each slot at which several gradients met."""
    for slot, stats in enumerate(step.grad_outputs):
        met = sum(each.input_nr == slot for each in step.contributions)
        text = _text(stats) if stats is not None and met > 1 else None
        if text is not None:
            yield Line(f"sum of {met} gradients: {text}", "gradient")


def _with_start(arrow: Arrow, output: int, root: Edge, steps: dict[int, Step]) -> Arrow:
    """What the backward was started with is what the root was sent by no node."""
    came = steps[root.node].contributions if root.node in steps else ()
    stats = next((each.stats for each in came if each.source is None and each.slot == output), None)
    return _labelled(arrow, None if stats is None else _text(stats))


def _with_gradient(arrow: Arrow, link: Link, steps: dict[int, Step]) -> Arrow:
    found = gradients_of(link.edges, steps)
    if len(link.edges) > 1:
        norm = together(found)
        text = None if norm is None else digits.number(norm)
    else:
        text = _text(found[0]) if found else None
    return _labelled(arrow, text)


def _text(stats: GradStats) -> str | None:
    """What is written beside an arrow: the reason why a gradient wasn't measured would be too long."""
    return None if stats.norm is None and stats.unmeasured is None else brief(stats)


def _labelled(arrow: Arrow, text: str | None) -> Arrow:
    return arrow if text is None else arrow._replace(lines=(*arrow.lines, Line(text, "gradient")))
