"""``Timeline``: from which ``sequence_nr`` on nodes were made where.

Note [One timeline a thread]
Torch counts ``sequence_nr`` anew in each thread, so a number alone doesn't say which node is meant. A node is looked
up in the timeline of the thread that runs the backward, and in the others only if nothing is known there. What a
backward freed is struck from the timelines (``forget``), so that an old entry isn't taken for a new node's.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from autograd_lab.backward.modules import ModuleCall
from autograd_lab.backward.places import Place
from autograd_lab.backward.stats import Measure


class Called(NamedTuple):
    """A call that made nodes."""

    func: Any
    number: int
    place: Place | None
    made: tuple[Measure, ...]


class State(NamedTuple):
    """Where nodes are being made."""

    module: ModuleCall | None = None
    called: Called | None = None


UNKNOWN = State()


class Timeline:
    """From which ``sequence_nr`` on nodes were made where, in one thread."""

    __slots__ = ("_numbers", "_states")

    def __init__(self, begin: int) -> None:
        self._numbers = [begin]
        self._states = [UNKNOWN]

    @property
    def latest(self) -> int:
        """The number at which the last entry begins."""
        return self._numbers[-1]

    def note(self, number: int, state: State) -> None:
        """Enters a state. Of two with the same number the first made nothing and goes."""
        if number < self.latest:  # a new thread has the identity of one that ended
            self._numbers, self._states = [number], [state]
        elif number == self.latest:
            self._states[-1] = state
        else:
            self._numbers.append(number)
            self._states.append(state)

    def at(self, number: int) -> State:
        """Gives where a node was made; ``UNKNOWN`` if it was made before anyone looked."""
        found = bisect.bisect_right(self._numbers, number) - 1
        return self._states[found] if found >= 0 else UNKNOWN

    def forget(self, freed: Collection[int] = (), before: int = 0) -> None:
        """Strikes out what was made before a number, and every entry whose nodes were all freed."""
        numbers, states = [self._numbers[0]], [UNKNOWN]
        for begin, end, state in self._spans():
            gone = end <= before or all(number in freed for number in range(begin, end))
            kept = UNKNOWN if gone else state
            if states[-1] is not kept:
                numbers.append(begin)
                states.append(kept)
        self._numbers, self._states = [*numbers, self.latest], [*states, self._states[-1]]

    def _spans(self) -> Iterator[tuple[int, int, State]]:
        """The entries that are over, from which number up to which."""
        return zip(self._numbers, self._numbers[1:], self._states, strict=False)
