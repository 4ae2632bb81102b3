"""The norms of gradients as a plot: of one backward by layer, of several over time.

Relies on ``frame``, and so on matplotlib. Promises that a gradient which is zero,
not finite or missing is shown as what it is, not left out; and the same bytes for the same traces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from autograd_lab.draw import theme
from autograd_lab.draw.plots import frame, measures, overtime
from autograd_lab.draw.plots.measures import UNMEASURED, Norm
from autograd_lab.errors import Option, RenderError
from autograd_lab.records import Trace

Norms: TypeAlias = Mapping[str, Norm]
"""Parameter's or layer's name → its gradient's norm."""

KINDS = ("svg", "png", "pdf")
"""Formats of plots."""

MOST_ROWS = 60
"""Rows of a plot of one backward: with more, parameters are taken together by layer."""

MOST_BACKWARDS_OF_LINES = 8
"""Backwards over which norms are lines; over more they're a map."""

MOST_LINES = 16
MOST_MAPPED = 40
"""Lines, and rows of a map, likewise."""


def norms_plot(
    traces: Sequence[Trace], kind: str, *, title: str | None = None, dpi: int | None = None
) -> bytes:
    """Plots the norms of the gradients that arrived at leaves.

    Args:
        traces: One backward: a row for each parameter, the model's first on top; or several: a line for each layer,
            or for many a row of a map.
        kind: ``"svg"``, ``"png"`` or ``"pdf"``.
        title: Written above.
        dpi: Pixels to the inch, for PNG.

    Returns:
        The picture.

    Raises:
        RenderError: There's no such kind of plot, no leaf, or the traces have no statistics.

    Example:
        >>> from autograd_lab.records import Graph
        >>> norms_plot([Trace(Graph((), ()), ())], "svg")
        Traceback (most recent call last):
        autograd_lab.errors.RenderError: no leaf ran, so there are no gradients to plot
    """
    if kind not in frame.KINDS:
        raise RenderError(f"view 'norms' makes no {kind}: use svg, png or pdf")
    from matplotlib import style

    with style.context("default"):  # not that of the program we're in
        return _drawn(traces, kind, title or "Gradient norms", dpi)


def _drawn(traces: Sequence[Trace], kind: str, title: str, dpi: int | None) -> bytes:
    found = [norms(trace) for trace in traces]
    if not any(found):
        raise RenderError("no leaf ran, so there are no gradients to plot")
    if len(found) == 1:
        return _of_one(together(found, MOST_ROWS)[0], kind, title, dpi)
    numbers = [trace.number for trace in traces]
    if len(set(numbers)) < len(numbers):
        numbers = list(range(len(traces)))
    if len(found) <= MOST_BACKWARDS_OF_LINES:
        figure, axes = overtime.lines(numbers, together(found, MOST_LINES))
    else:
        figure, axes = overtime.heat_map(numbers, together(found, MOST_MAPPED))
    return _saved(figure, axes, title, kind, dpi)


def norms(trace: Trace) -> Norms:
    """Returns the norm of what arrived at each leaf, in the model's order: that against which a backward runs.

    Raises:
        RenderError: The trace has no statistics.
    """
    found: dict[str, Norm] = {}
    for step in reversed(trace.steps):
        node = trace.graph.node(step.node)
        if node.kind != "accumulate" or node.variable is None:
            continue
        came = step.grad_outputs[0] if step.grad_outputs else None
        arrived = step.accumulation is not None and step.accumulation.how != "nothing"
        if came is None and arrived:
            raise RenderError("this trace has no norms; trace it with ", Option("stats", "norm"))
        found[node.variable] = None if came is None else UNMEASURED if came.unmeasured else came.norm
    never: dict[str, Norm] = {leaf.variable: None for leaf in trace.graph.leaves if leaf.variable is not None}
    return found | {name: None for name in never if name not in found}


def together(found: Sequence[Norms], most: int) -> list[Norms]:
    """Takes parameters of one layer together, and layers of one block, until there are few enough.

    The norm of several gradients together is the root of the sum of their squares.

    Args:
        found: The norms of each backward.
        most: How many names there may be.

    Returns:
        The same with fewer names.

    Example:
        >>> together([{"a.w": 3.0, "a.b": 4.0}], 1)
        [{'a': 5.0}]
    """
    names = list(dict.fromkeys(name for each in found for name in each))
    shortened = {name: name for name in names}
    while len(set(shortened.values())) > most:
        depth = max(name.count(".") for name in shortened.values())
        if depth == 0:
            break
        shortened = {
            name: short.rpartition(".")[0] if short.count(".") == depth else short
            for name, short in shortened.items()
        }
    return [_summed(each, shortened) for each in found]


def _summed(found: Norms, shortened: Mapping[str, str]) -> Norms:
    groups: dict[str, list[Norm]] = {}
    for name, norm in found.items():
        groups.setdefault(shortened[name], []).append(norm)
    return {name: _side_by_side(parts) for name, parts in groups.items()}


def _side_by_side(norms: Sequence[Norm]) -> Norm:
    if UNMEASURED in norms:
        return UNMEASURED
    there = [norm for norm in norms if isinstance(norm, int | float)]
    return math.hypot(*there) if there else None


# --- drawing -------------------------------------------------------------------------


def _of_one(found: Norms, kind: str, title: str, dpi: int | None) -> bytes:
    figure, axes = frame.new(7.5, max(1.6, 0.9 + 0.21 * len(found)))
    low, high = measures.limits(list(found.values()))
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    measures.label_ticks(axes.xaxis, low, high)
    colours = _by_block(found)
    for row, (name, norm) in enumerate(found.items()):
        axes.plot([low, _held(norm, low, high)], [row, row], color=theme.MODULE_LINE, linewidth=1, zorder=1)
        word = measures.word(norm)
        if word is None:
            axes.plot([norm], [row], "o", color=colours[name], markersize=5, zorder=2)
            continue
        side = "left" if measures.is_low(norm) else "right"
        place = low if side == "left" else high
        axes.text(
            place, row, f" {word} ", ha=side, va="center", color=theme.VERMILLION, fontsize=8,
            bbox={"facecolor": theme.PAPER, "edgecolor": "none", "pad": 0.5}, zorder=3,
        )  # fmt: skip
    axes.set_yticks(range(len(found)), list(map(frame.literal, found)), fontsize=8)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlabel("norm of the gradient that arrived", fontsize=9)
    return _saved(figure, axes, title, kind, dpi)


def _saved(figure: Any, axes: Any, title: str, kind: str, dpi: int | None) -> bytes:
    frame.dress(axes, frame.literal(title))
    return frame.write(figure, kind, dpi=dpi)


def _held(norm: Norm, low: float, high: float) -> float:
    """Where a row's line ends."""
    if not isinstance(norm, int | float) or norm == 0:
        return low
    return norm if norm < math.inf else high


def _by_block(found: Norms) -> dict[str, str]:
    """A colour for each name: rows of one layer have one, the first layer's blue and the last's orange."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in found))
    return {name: measures.depth_colour(layers.index(name.rpartition(".")[0]), len(layers)) for name in found}
