"""Whether other processes ran beside a script, in which the lab sees nothing.

Relies on what the system counts of processes that have ended (not on Windows) and on ``multiprocessing``'s own list of
those that haven't. Promises to hook nothing: a script that starts processes starts them as without the lab.
"""

from __future__ import annotations

import multiprocessing

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

NOTE = (
    "the script started other processes (multiprocessing, workers of a DataLoader, subprocess): what ran in them isn't "
    "recorded"
)


class Children:
    """Notices processes that this one starts after it was made."""

    def __init__(self) -> None:
        self._before = _ended()

    def any(self) -> bool:
        """Returns whether there was one that has ended, or there's one that still runs."""
        return bool(multiprocessing.active_children()) or _ended() != self._before


def _ended() -> int:
    """Returns a number that grows with every process that was started here and has ended: their memory's faults."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
