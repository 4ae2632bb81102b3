"""What room a laid-out picture leaves: where a text may stand that nothing runs through.

Relies on ``routes``. Promises that a place which is called free touches no box, and no curve by more than the width of
a line: curves are followed in steps of a few points.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from autograd_lab.draw.layout.routes import Point, Route

_STEP = 6.0
"""Points along a curve from one look at it to the next."""

_BAND = 40.0
"""Points: the height of the bands by which things are found."""

_CLEAR = 2.5
"""Points between a text and a curve beside it."""


class Rect(NamedTuple):
    """A rectangle; y grows upwards.

    Example:
        >>> Rect.around((10.0, 10.0), (4.0, 2.0))
        Rect(left=8.0, bottom=9.0, right=12.0, top=11.0)
    """

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, middle: Point, size: Point) -> Rect:
        """Returns the rectangle of a size around a point."""
        (x, y), (width, height) = middle, size
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    @property
    def size(self) -> Point:
        """Its width and height."""
        return self.right - self.left, self.top - self.bottom

    @property
    def middle(self) -> Point:
        """Its middle."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def meets(self, other: Rect) -> bool:
        """Returns whether the two have more than a border in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


def around_all(rects: Iterable[Rect]) -> Rect:
    """Returns the smallest rectangle around some, of size 0 where there's none."""
    lefts, bottoms, rights, tops = zip(*(list(rects) or [Rect(0.0, 0.0, 0.0, 0.0)]), strict=True)
    return Rect(min(lefts), min(bottoms), max(rights), max(tops))


class Space:
    """Knows what stands where.

    Args:
        rects: What nothing may be written on.
        routes: Curves that nothing may be written on.

    Example:
        >>> space = Space([Rect(0, 0, 10, 10)], [])
        >>> space.is_free(Rect(11, 0, 20, 5)), space.is_free(Rect(9, 9, 20, 20))
        (True, False)
    """

    def __init__(self, rects: Iterable[Rect], routes: Iterable[Route]) -> None:
        self._bands: dict[int, list[Rect]] = defaultdict(list)
        for rect in rects:
            self.add(rect)
        for route in routes:
            for rect in pieces(route):
                self.add(rect)

    def add(self, rect: Rect) -> None:
        """Takes a rectangle for what nothing may be written on from now on."""
        for band in _bands(rect):
            self._bands[band].append(rect)

    def is_free(self, rect: Rect) -> bool:
        """Returns whether nothing stands there."""
        return not any(rect.meets(other) for band in _bands(rect) for other in self._bands.get(band, ()))

    def free_from_left(self, strip: Rect, width: float) -> float | None:
        """Finds the first place in a strip where something of a width fits.

        Args:
            strip: Where it may stand.
            width: How wide it is.

        Returns:
            Its left side; ``None`` where it fits nowhere.
        """
        taken = sorted(
            (other.left, other.right)
            for band in _bands(strip)
            for other in self._bands.get(band, ())
            if strip.meets(other)
        )
        left = strip.left
        for begins, ends in taken:
            if begins - left >= width:
                break
            left = max(left, ends)
        return left if left + width <= strip.right else None


def pieces(route: Route) -> Iterator[Rect]:
    """Returns rectangles of a few points around each piece of a curve."""
    for start in range(0, len(route.points) - 3, 3):
        four = route.points[start : start + 4]
        length = sum(math.dist(one, other) for one, other in pairwise(four))
        steps = max(2, math.ceil(length / _STEP))
        before = four[0]
        for step in range(1, steps + 1):
            here = _at(four, step / steps)
            yield Rect(
                min(before[0], here[0]) - _CLEAR,
                min(before[1], here[1]) - _CLEAR,
                max(before[0], here[0]) + _CLEAR,
                max(before[1], here[1]) + _CLEAR,
            )
            before = here


def _at(four: tuple[Point, ...], t: float) -> Point:
    s = 1 - t
    weights = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
    x, y = (sum(weight * point[axis] for weight, point in zip(weights, four, strict=True)) for axis in (0, 1))
    return x, y


def _bands(rect: Rect) -> range:
    return range(math.floor(rect.bottom / _BAND), math.floor(rect.top / _BAND) + 1)
