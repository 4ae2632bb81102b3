"""Paths of modules as other tools take them: parts between slashes, in the characters that the tool allows.

Relies on nothing but where nodes belong (``plan/homes.py``). Promises equal namespaces for equal paths only: of those
that would be alike, the second and further ones are numbered.
"""

from __future__ import annotations

from collections.abc import Callable

from autograd_lab.draw.plan.homes import Path


class Namespaces:
    """The namespaces of one graph.

    Args:
        part: Returns what the tool is told in place of a module's name; never an empty text.
        numbered: How the second of those that would be alike is written: its name, then its number.

    Example:
        >>> spaces = Namespaces(str.lower)
        >>> [spaces.of(path) for path in (("net", "a"), ("net", "A"), ("net", "a"), ())]
        ['net/a', 'net/a (2)', 'net/a', '']
    """

    def __init__(self, part: Callable[[str], str], numbered: str = "{} ({})") -> None:
        self._part = part
        self._numbered = numbered
        self._known: dict[Path, str] = {(): ""}
        self._taken: set[str] = set()

    def of(self, path: Path) -> str:
        """Returns the namespace of a path; empty for the model itself."""
        for length in range(1, len(path) + 1):
            if path[:length] not in self._known:
                wanted = inside(self._known[path[: length - 1]], self._part(path[length - 1]))
                self._known[path[:length]] = distinct(wanted, self._taken, self._numbered)
        return self._known[path]


def inside(space: str, name: str) -> str:
    """Returns a name inside of a namespace.

    Example:
        >>> inside("net/act", "exp"), inside("", "exp")
        ('net/act/exp', 'exp')
    """
    return f"{space}/{name}" if space else name


def distinct(wanted: str, taken: set[str], numbered: str = "{} ({})") -> str:
    """Returns a name that isn't taken yet, and notes that it is.

    Args:
        wanted: What it's called if nothing else is.
        taken: The names that are; the one returned is added.
        numbered: How further ones are written: the name, then the number.

    Example:
        >>> taken = {"fc"}
        >>> distinct("fc", taken), distinct("fc", taken, "{}({})"), distinct("out", taken)
        ('fc (2)', 'fc(2)', 'out')
    """
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = numbered.format(wanted, number)
    taken.add(found)
    return found
