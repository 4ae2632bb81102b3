"""Counts that many tests add to, each shown as one line of the run's log, under "figures"."""

from __future__ import annotations

_noted: list[tuple[str, int]] = []


def note(line: str, number: int) -> None:
    """Adds to a line's number, in whichever process: ``{}`` in the line is where it goes."""
    _noted.append((line, number))


def taken() -> list[tuple[str, int]]:
    """What the test that just ran has noted."""
    noted = list(_noted)
    _noted.clear()
    return noted
