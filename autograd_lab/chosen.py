"""Which backwards are traced: numbers and slices, with the meaning that they have for Python's lists.

Relies on the standard library only. Promises to say of a backward that begins whether it may be one of them, and of all
once their number is known whether it is. What is counted from the end is known at the end: until then each may be it.
"""

from __future__ import annotations

from typing import NamedTuple, Self


class Chosen(NamedTuple):
    """Backwards, counted from 0 in the order in which they begin.

    Attributes:
        parts: Slices with positive steps, of which negative bounds count from the end. A number ``n`` is ``n:n + 1``,
            and -1 is ``-1:``.

    Example:
        >>> print(Chosen((slice(1, 2), slice(10, None, 100), slice(-1, None))))
        1,10::100,-1
    """

    parts: tuple[slice, ...]

    @classmethod
    def of(cls, skip: int, limit: int | None, every: int) -> Self:
        """Returns so many of every so many, after the first so many.

        Example:
            >>> print(Chosen.of(3, 2, 100))
            3:203:100
        """
        return cls((slice(skip, None if limit is None else skip + limit * every, every),))

    def __str__(self) -> str:
        return ",".join(map(_text, self.parts))

    @property
    def counts_from_the_end(self) -> bool:
        """Whether it takes the number of all backwards to know them."""
        return any(_is_negative(part.start) or _is_negative(part.stop) for part in self.parts)

    def may_hold(self, number: int, count: int) -> bool:
        """Returns whether a backward is one of them, or may turn out to be.

        Args:
            number: Its number.
            count: How many there are at least.

        Example:
            >>> last_two = Chosen((slice(-2, None),))
            >>> [last_two.may_hold(0, count) for count in (1, 2, 3)]
            [True, True, False]
        """
        return any(_may_hold(part, number, count) for part in self.parts)

    def holds(self, number: int, count: int) -> bool:
        """Returns whether a backward is one of them.

        Args:
            number: Its number.
            count: How many there are.

        Example:
            >>> chosen = Chosen((slice(None, None, 3), slice(-1, None)))
            >>> [number for number in range(8) if chosen.holds(number, 8)]
            [0, 3, 6, 7]
        """
        return any(number in range(count)[part] for part in self.parts)

    def is_over(self, count: int) -> bool:
        """Returns whether none of them is left, where so many have begun.

        Example:
            >>> [Chosen((slice(1, 2), slice(3, 4))).is_over(count) for count in (3, 4)]
            [False, True]
        """
        return not self.counts_from_the_end and all(_is_over(part, count) for part in self.parts)


def _is_negative(bound: int | None) -> bool:
    return bound is not None and bound < 0


def _may_hold(part: slice, number: int, count: int) -> bool:
    """However many more come, a bound that counts from the end only grows."""
    start, stop = part.start or 0, part.stop
    if stop is not None and 0 <= stop <= number:
        return False
    return (
        number >= count + start if start < 0 else number >= start and (number - start) % (part.step or 1) == 0
    )


def _is_over(part: slice, count: int) -> bool:
    if part.stop is None:
        return False
    numbers = range(part.start or 0, part.stop, part.step or 1)
    return not numbers or numbers[-1] < count


def _text(part: slice) -> str:
    start, stop = ("" if bound is None else str(bound) for bound in (part.start, part.stop))
    if part.step not in (None, 1):
        return f"{start}:{stop}:{part.step}"
    one = part.start is not None and part.stop == (part.start + 1 or None)
    return start if one else f"{start}:{stop}"
