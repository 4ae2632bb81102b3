"""One module and what surrounds it: what ``module`` draws of a graph.

Relies on the records and ``homes``. Promises that what lies in the module is drawn as ever, that each way in and out of
it ends in a neighbour, and that a name which isn't there is answered with the nearest that are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from autograd_lab.draw.plan.homes import Path, bare
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph

_MOST_NEAREST = 4


class CloseUp(NamedTuple):
    """Which nodes are drawn.

    Attributes:
        inside: Those that lie in the module.
        near: Those outside to which a gradient goes from in there, or from which one comes.
        paths: The module's paths: one, or one for each of its calls.
    """

    inside: frozenset[int]
    near: frozenset[int]
    paths: frozenset[Path]

    def neighbour(self, home: Path | None) -> Path | None:
        """Returns the module that stands for a node outside: the largest that the module itself isn't in.

        Args:
            home: Where the node belongs.

        Returns:
            Its path; ``None`` where the node stands for itself, since the module lies in whatever it lies in.
        """
        if home is None:
            return None
        length = 1 + max(_common(home, path) for path in self.paths)
        return home[:length] if len(home) >= length else None


def close_up(graph: Graph, homes: Sequence[Path | None], module: str) -> CloseUp:
    """Finds a module and what surrounds it.

    Args:
        graph: The graph.
        homes: Which module each node belongs to.
        module: What the module is called, or how its name ends where only one ends so. Without a call's number it
            stands for all of its calls.

    Returns:
        What is drawn.

    Raises:
        RenderError: There's no such module.
    """
    paths = _found(module, {path[:length] for path in homes if path for length in range(1, len(path) + 1)})
    inside = frozenset(
        i for i, home in enumerate(homes) if home and any(home[: len(path)] == path for path in paths)
    )
    near = {edge.node for tail, _, edge in graph.edges if tail in inside}
    near |= {tail for tail, _, edge in graph.edges if edge.node in inside}
    return CloseUp(inside, frozenset(near - inside), frozenset(paths))


def _found(module: str, known: Iterable[Path]) -> set[Path]:
    spelt = (lambda path: path) if "#" in module else bare  # without a number: every call
    called = {path: ".".join(spelt(path)) for path in known}
    exact = {path for path, name in called.items() if name == module}
    if exact:
        return exact
    ending = {path: name for path, name in called.items() if name.endswith(f".{module}")}
    if len(set(ending.values())) == 1:
        return set(ending)
    if ending:
        raise RenderError(
            f"several modules end in {module!r}: say which of {_some(sorted(set(ending.values())))}"
        )
    if not called:
        raise RenderError(
            "module draws one of the model's modules, and only a watched forward knows them: here none was called; "
            "make the loss and run its backward in `with lab.watch(model) as w:`, then render w.traces[0]"
        )
    near = _some(_nearest(module, sorted(set(called.values()))))
    raise RenderError(f"no module {module!r} made a node of this graph: the nearest are {near}")


def _nearest(module: str, known: Sequence[str]) -> list[str]:
    """Those that are spelt most like it, or that end so."""
    length = module.count(".") + 1

    def likeness(name: str) -> float:
        ends = (name, ".".join(name.split(".")[-length:]))
        return max(difflib.SequenceMatcher(None, module, end).ratio() for end in ends)

    return sorted(known, key=likeness, reverse=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_MOST_NEAREST]))


def _common(one: Path, other: Path) -> int:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return length
