"""What a norm is in a plot: a place on a logarithmic axis, or a word where there's no such place.

Relies on ``digits``, and on matplotlib for the numbers beside an axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

from autograd_lab.draw import digits, scales

UNMEASURED = "not measured"

Norm: TypeAlias = float | str | None
"""A gradient's norm; ``None`` where no gradient came, ``UNMEASURED`` where one came that couldn't be measured."""

_SHORT = 2.5
"""Powers of ten on an axis, up to which numbers between them are written too."""


def word(norm: Norm) -> str | None:
    """Returns what is written in a point's place, where there can be no point on a log axis.

    Example:
        >>> word(0.0), word(None), word(float("nan")), word(3.0)
        ('zero', 'no gradient', 'NaN', None)
    """
    if norm is None:
        return "no gradient"
    if isinstance(norm, str):
        return norm
    if norm == 0:
        return "zero"
    return None if math.isfinite(norm) else "NaN" if math.isnan(norm) else "inf"


def is_low(norm: Norm) -> bool:
    """Returns whether what isn't a point on a log axis is shown at its lower end."""
    return not isinstance(norm, int | float) or norm == 0


def spread(norms: Iterable[Norm]) -> tuple[float, float] | None:
    """Returns the least and the greatest norm that has a place on a log axis; ``None`` where none has.

    Example:
        >>> spread([3.0, None, 0.0, 5.0])
        (3.0, 5.0)
    """
    there = [norm for norm in norms if isinstance(norm, int | float) and 0 < norm < math.inf]
    return (min(there), max(there)) if there else None


def limits(norms: Iterable[Norm]) -> tuple[float, float]:
    """Returns a log axis that holds every positive norm, with room at both ends for what isn't one."""
    found = spread(norms)
    if found is None:
        return 0.1, 10.0
    low, high = map(math.log10, found)
    room = max(0.12 * (high - low), 0.3)
    return 10 ** (low - room), 10 ** (high + room)


def label_ticks(axis: Any, low: float, high: float) -> None:
    """Writes numbers at 1, 2 and 5, where an axis is too short for the powers of ten to say enough."""
    if math.log10(high / low) > _SHORT:
        return
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: digits.number(value)))
    axis.set_minor_locator(LogLocator(subs=(3, 4, 6, 7, 8, 9)))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def depth_colour(index: int, count: int) -> str:
    """Returns the colour of a layer: from blue for the first, whose input is the model's, to orange for the last.

    Args:
        index: Which layer it is, the model's first being 0.
        count: How many there are.

    Example:
        >>> depth_colour(0, 9) == scales.DEPTHS[0], depth_colour(8, 9) == scales.DEPTHS[-1]
        (True, True)
    """
    return scales.DEPTHS[round(index * (len(scales.DEPTHS) - 1) / max(count - 1, 1))]
