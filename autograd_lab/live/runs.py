"""Threads that the program's thread starts and waits for without taking a lock.

Relies on the standard library. Promises that an interrupt at any moment of a start or a wait leaves no lock taken, and
no thread of which the server doesn't know.

Note [No lock that a program's thread takes]
An interrupt may come at any moment in the thread that starts and stops the server, and it would leave a lock taken. So
what that thread tells the others are plain attributes, and they look at them every `TICK`. ``threading`` takes locks
when a thread is started, joined or listed: an interrupt there leaves a thread that hangs, or one that is listed and
never was. So threads are started with ``_thread``, and each says itself that it is over: `Task`. Like daemons they
don't keep the program from ending.

Note [Whether a thread was started]
An interrupt may come right before a thread is started, or right after. So the server notes a weak reference to a `Task`
first, and the new thread is given the only lasting reference to it: without a thread nothing keeps it. The starter's
own reference has to go too, for an interrupt's traceback has its frame: a ``finally`` empties the variable.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TICK = 0.1
"""Seconds after which threads look around."""


class Task:
    """What one thread does, from when it is about to until it is over; see Note [Whether a thread was started]."""

    over = False

    def call(self, function: Callable[..., object], *given: object) -> None:
        """What the thread begins with."""
        try:
            function(*given)
        finally:
            self.over = True


def wait(is_running: Callable[[], bool], until: float) -> None:
    """Waits while something runs, until a moment of ``time.monotonic`` at most."""
    while is_running() and time.monotonic() < until:
        time.sleep(TICK / 50)
