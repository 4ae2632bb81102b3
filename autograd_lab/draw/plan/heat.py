"""How much of something each box stands for, in a few steps from little to much: what ``heat`` colours boxes by.

Relies on the records and ``sums``. Promises that a step means the same in the whole picture, that what is zero or isn't
finite has a step of its own, and that a box of which nothing was measured has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from autograd_lab.draw.digits import nbytes, number
from autograd_lab.draw.plan.collapse import Part, Plan
from autograd_lab.draw.plan.sums import Ways, came_in, together
from autograd_lab.errors import Option, Parts, RenderError
from autograd_lab.records import Graph, Step

STEPS = 6
"""From little to much; ``theme.HEATS`` has a look for each."""

ZERO, WILD = "zero", "not finite"
"""The steps beside the scale."""

_OF_ALL = "; where one is drawn for several, of all of them"

_DECADES = 1.5
"""Powers of ten between the least and the most from which on steps are factors rather than differences."""


class Heat(NamedTuple):
    """What boxes are coloured by.

    Attributes:
        what: What the colour says.
        step_of: For each part the name of its step: ``"0"``, …, or one of those beside the scale; ``None`` for none.
        scale: For each step that may occur its name and which values it has.
        values: For each part how much there is; ``None`` where that isn't known.
    """

    what: str
    step_of: tuple[str | None, ...]
    scale: tuple[tuple[str, str], ...]
    values: tuple[float | None, ...] = ()


def heat(by: str, graph: Graph, drawn: Plan, steps: Sequence[Step] = ()) -> Heat:
    """Says how hot each box is.

    Args:
        by: A key of `KINDS`.
        graph: The graph.
        drawn: What is drawn of it.
        steps: What ran of it.

    Returns:
        The boxes' steps and the scale.

    Raises:
        RenderError: Nothing of that kind is known of any box.
    """
    kind = KINDS[by]
    values = kind.values(graph, drawn, {step.node: step for step in steps})
    known = [value for value in values if value is not None and 0 < value < math.inf]
    if not known:
        raise RenderError(Option("heat", by), " has nothing to show: ", *kind.lacking)
    least, most = min(known), max(known)
    bounds = _bounds(least, most)
    scale = [
        (str(i), f"{kind.text(low)} – {kind.text(high)}") for i, (low, high) in enumerate(pairwise(bounds))
    ]
    step_of = tuple(None if value is None else _step(value, bounds) for value in values)
    beside = [(name, name) for name in (ZERO, WILD) if name in step_of]
    what = kind.what + (_OF_ALL if any(part.times > 1 for part in drawn.parts) else "")
    return Heat(what, step_of, (*scale, *beside), tuple(values))


def _bounds(least: float, most: float) -> list[float]:
    """Where each step begins, and where the last ends; one step where all is alike."""
    if least == most:
        return [least, most]
    if math.log10(most / least) > _DECADES:
        return [least * (most / least) ** (i / STEPS) for i in range(STEPS + 1)]
    return [least + (most - least) * i / STEPS for i in range(STEPS + 1)]


def _step(value: float, bounds: Sequence[float]) -> str:
    if not math.isfinite(value):
        return WILD
    if value == 0:
        return ZERO
    return str(sum(value >= bound for bound in bounds[1:-1]))


# --- what can be shown ---------------------------------------------------------------

_Values = list[float | None]


def _norms(graph: Graph, drawn: Plan, steps: Mapping[int, Step]) -> _Values:
    ways = Ways(graph, drawn.copies)
    return [
        _came_in(part, drawn, ways, steps) if part.node is None else _arrived(part, steps)
        for part in drawn.parts
    ]


def _came_in(part: Part, drawn: Plan, ways: Ways, steps: Mapping[int, Step]) -> float | None:
    """What came into a module; of several that one is drawn for, into each, also from one another."""
    copies = dict.fromkeys(drawn.copies[node] for node in part.nodes)
    return came_in(part.nodes, (edge for copy in copies for edge in ways.came[copy]), steps)


def _arrived(part: Part, steps: Mapping[int, Step]) -> float | None:
    """What a node ran with; of several that one is drawn for, all of it."""
    ran = (steps[i] for i in part.nodes if i in steps)
    return together(stats for step in ran for stats in step.grad_outputs if stats is not None)


def _times(graph: Graph, drawn: Plan, steps: Mapping[int, Step]) -> _Values:
    del graph
    return [_sum(steps[i].duration_ns for i in part.nodes if i in steps) for part in drawn.parts]


def _sum(durations: Iterable[int | None]) -> float | None:
    known = [duration for duration in durations if duration is not None]
    return sum(known) / 1e6 if known else None


def _saved(graph: Graph, drawn: Plan, steps: Mapping[int, Step]) -> _Values:
    del steps
    return [
        float(Graph(tuple(graph.nodes[i] for i in part.nodes), ()).saved_activation_nbytes) or None
        for part in drawn.parts
    ]


class Kind(NamedTuple):
    """Something that boxes can be coloured by.

    Attributes:
        what: What it is, for the legend.
        values: How much of it each part has.
        text: Writes a value.
        lacking: Why there may be none of it.
        of_graphs: Whether a graph alone knows it, without a run.
    """

    what: str
    values: Callable[[Graph, Plan, Mapping[int, Step]], _Values]
    text: Callable[[float], str]
    lacking: Parts
    of_graphs: bool = False


KINDS = {
    "norm": Kind(
        "norm of the gradient that came in",
        _norms,
        lambda value: number(float(f"{value:.2g}")),
        ("this trace has no norms; trace with ", Option("stats", "norm")),
    ),
    "time": Kind(
        "time of the node's turn, ms",
        _times,
        lambda value: number(float(f"{value:.2g}")),
        ("this trace has no times",),
    ),
    "saved": Kind(
        "memory kept for the backward",
        _saved,
        lambda value: nbytes(round(float(f"{value:.3g}"))),
        ("no node keeps a tensor alive; a backward frees them, so capture the graph before it",),
        of_graphs=True,
    ),
}
"""What ``heat`` may be → how much of it there is."""
