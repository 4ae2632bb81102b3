"""``Timeline``: from which ``sequence_nr`` on nodes were made where.

Note [One timeline a thread]
Torch counts ``sequence_nr`` anew in each thread, so a number alone doesn't say which node is meant. A node is looked
up in the timeline of the thread that runs the backward, and in the others only if nothing is known there. What a
backward freed is struck from the timelines (``forget``), so that an old entry isn't taken for a new node's.
"""

from __future__ import annotations

import bisect
import itertools
import operator
from collections.abc import Collection
from typing import Any, NamedTuple

from autograd_lab.backward.modules import ModuleCall
from autograd_lab.backward.stats import Measure
from autograd_lab.capture.places import Place


class Called(NamedTuple):
    """A call that made nodes."""

    func: Any
    number: int
    place: Place | None
    made: tuple[Measure, ...]


class State(NamedTuple):
    """Where nodes are being made.

    Attributes:
        module: The module's call.
        called: The call of a torch function.
        place: The user's line that called compiled code, inside which no calls are seen, or a module with backward
            hooks.
    """

    module: ModuleCall | None = None
    called: Called | None = None
    place: Place | None = None


UNKNOWN = State()

KEPT = 2**16
"""How many entries are kept in any case. See Note [Forwards without a backward]."""


class Timeline:
    """From which ``sequence_nr`` on nodes were made where, in one thread.

    All that is known is in one list, so that other threads, and an interrupt, find it whole.
    """

    __slots__ = ("_entries",)

    def __init__(self, begin: int) -> None:
        self._entries = [(begin, UNKNOWN)]

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def latest(self) -> int:
        """The number at which the last entry begins."""
        return self._entries[-1][0]

    def note(self, number: int, state: State) -> None:
        """Enters a state. Of two with the same number the first made nothing and goes."""
        latest = self.latest
        if number < latest:  # a new thread has the identity of one that ended
            self._entries = [(number, state)]
        elif number == latest:
            self._entries[-1] = (number, state)
        else:
            self._entries.append((number, state))
            if len(self._entries) >= 2 * KEPT:
                self._entries = [(self._entries[0][0], UNKNOWN), *self._entries[-KEPT:]]

    def at(self, number: int) -> State:
        """Returns where a node was made; ``UNKNOWN`` if it was made before anyone looked."""
        entries = self._entries
        found = bisect.bisect_right(entries, number, key=_number) - 1
        return entries[found][1] if found >= 0 else UNKNOWN

    def forget(self, freed: Collection[int] = (), before: int = 0) -> None:
        """Forgets what was made before a number, and every entry whose nodes were all freed."""
        entries = self._entries
        lowest = 0 if before else min(freed, default=self.latest)
        first = max(bisect.bisect_right(entries, lowest, key=_number) - 2, 0)  # one more, which may be merged
        left = entries[:first] or [(entries[0][0], UNKNOWN)]
        for (begin, state), (end, _) in itertools.pairwise(entries[first:]):
            gone = end <= before or all(number in freed for number in range(begin, end))
            kept = UNKNOWN if gone else state
            if left[-1][1] is not kept:
                left.append((begin, kept))
        self._entries = [*left, entries[-1]]


_number = operator.itemgetter(0)
