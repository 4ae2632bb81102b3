"""The norms of gradients over several backwards: a line for each layer over a few, a map of layers and steps over many.

Colours mean something: of lines, how deep a layer lies in the model, the first blue and the last orange; of a map, how
large a norm is. Relies on matplotlib, ``frame`` and ``measures``. Promises that what is zero, not finite or missing is
shown as what it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograd_lab.draw import scales, theme
from autograd_lab.draw.plots import frame
from autograd_lab.draw.plots.measures import Norm, depth_colour, is_low, label_ticks, limits, spread, word

MOST_NAMES = 24
"""Names in a legend."""

_DASHES = ("-", "--", "-.", ":")
"""Neighbours among layers, whose colours are alike, differ in these."""

_APART = {"no gradient": "", "zero": "0", "not measured": "?", "NaN": "×", "inf": "×"}
"""What is no place on the scale → the sign in its cell."""

_MOST_CELLS = 6_000
"""Cells that are drawn one by one; more of them become one image, which any reader opens quickly."""


def lines(numbers: Sequence[int], found: Sequence[Mapping[str, Norm]]) -> tuple[Any, Any]:
    """Plots a line for each layer.

    Args:
        numbers: Each backward's number.
        found: Its norms, by layer, the model's first layer first.

    Returns:
        matplotlib's ``Figure`` and ``Axes``.
    """
    names = _layers(found)
    figure, axes = frame.new(8.5, 4.5)
    low, high = limits(norm for each in found for norm in each.values())
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    label_ticks(axes.yaxis, low, high)
    for index, name in enumerate(names):
        series = [each.get(name) for each in found]
        colour, style = depth_colour(index, len(names)), _DASHES[index % len(_DASHES)]
        label = _label(name) if index < MOST_NAMES else "_"
        axes.plot(
            numbers,
            _on_scale(series),
            style,
            color=colour,
            linewidth=1.4,
            marker="o",
            markersize=2.5,
            label=label,
        )
        for number, norm in zip(numbers, series, strict=True):
            if word(norm) is not None:
                edge = low if is_low(norm) else high
                axes.plot([number], [edge], "x", color=colour, markersize=6, clip_on=False)
    axes.set_xlabel("backward", fontsize=9)
    axes.set_ylabel("norm of the gradient that arrived", fontsize=9)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8,
        title="first layer blue, last orange", title_fontsize=7.5,
    )  # fmt: skip
    if any(word(norm) for each in found for norm in each.values()):
        note = "× at the top: not finite\n× at the bottom: zero, none or not measured"
        axes.text(
            1.02, 0, note, transform=axes.transAxes, ha="left", va="bottom", fontsize=7.5, color=theme.QUIET
        )
    return figure, axes


def _label(name: str) -> str:
    """What begins with "_" has no place in a legend: a name that does so is set behind a space."""
    shown = frame.literal(name)
    return f" {shown}" if shown.startswith(("_", " ")) or not shown else shown


def heat_map(numbers: Sequence[int], found: Sequence[Mapping[str, Norm]]) -> tuple[Any, Any]:
    """Plots a row for each layer and a column for each backward, coloured by the norm.

    Args:
        numbers: Each backward's number.
        found: Its norms, by layer, the model's first layer first.

    Returns:
        matplotlib's ``Figure`` and ``Axes``.
    """
    from matplotlib.colors import ListedColormap, LogNorm

    names = _layers(found)
    rows = [[each.get(name) for each in found] for name in names]
    figure, axes = frame.new(8.5, max(1.8, 0.9 + 0.2 * len(names)))
    low, high = spread(norm for row in rows for norm in row) or (0.1, 10.0)
    if low == high:
        low, high = low / 2, high * 2
    drawn = axes.pcolormesh(
        list(map(_on_scale, rows)),
        cmap=ListedColormap(scales.SCALE),
        norm=LogNorm(low, high),
        edgecolors="face",
        linewidth=0.2,
    )
    drawn.set_rasterized(len(names) * len(numbers) > _MOST_CELLS)
    for x, y, text, colour in _signs(rows):
        axes.text(x, y, text, ha="center", va="center", fontsize=7, color=colour, fontweight="bold")
    axes.set_ylim(len(names), 0)
    axes.set_yticks([i + 0.5 for i in range(len(names))], list(map(frame.literal, names)), fontsize=8)
    ticks = range(0, len(numbers), max(1, -(-len(numbers) // 12)))
    axes.set_xticks([i + 0.5 for i in ticks], [str(numbers[i]) for i in ticks])
    axes.set_xlabel("backward", fontsize=9)
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, aspect=30)
    bar.set_label("norm of the gradient that arrived", fontsize=8, color=theme.INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=theme.INK)
    label_ticks(bar.ax.yaxis, low, high)
    apart = [what for what in _APART if any(word(norm) == what for row in rows for norm in row)]
    if apart:
        note = "   ".join(f"{_APART[what] or 'blank'}: {what}" for what in apart)
        axes.text(
            1, 1.01, note, transform=axes.transAxes, ha="right", va="bottom", fontsize=7.5, color=theme.QUIET
        )
    return figure, axes


def _layers(found: Sequence[Mapping[str, Norm]]) -> list[str]:
    """Returns the layers of all backwards, in the model's order."""
    return list(dict.fromkeys(name for each in found for name in each))


def _on_scale(norms: Sequence[Norm]) -> list[Any]:
    """Returns norms as they're drawn: NaN, which leaves a gap, for what has no place on a scale."""
    return [norm if word(norm) is None else math.nan for norm in norms]


def _signs(rows: Sequence[Sequence[Norm]]) -> Iterator[tuple[float, float, str, str]]:
    """Where a cell has a sign in place of a colour: not where it's blank."""
    for row, norms in enumerate(rows):
        for column, norm in enumerate(norms):
            what = word(norm)
            if what is not None and _APART[what]:
                colour = theme.QUIET if is_low(norm) else theme.VERMILLION
                yield column + 0.5, row + 0.5, _APART[what], colour
