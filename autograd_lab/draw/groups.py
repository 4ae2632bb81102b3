"""Modules inside modules, as clusters.

Relies on the standard library and ``picture``. Promises that a box of module ``a.b.c`` lies inside a cluster for
``a.b.c``, that inside one for each module above it in which something else lies too, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from autograd_lab.draw.picture import Box, Picture


class Frame(NamedTuple):
    """A cluster on the way to a module.

    Attributes:
        text: What is written on it.
        length: How many names of the path it stands for, together with those around it.

    Example:
        >>> Frame("encoder.layers", 2).length
        2
    """

    text: str
    length: int


def group_paths(modules: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[Frame, ...]]:
    """Returns for each module the clusters that it's drawn in.

    A module in which nothing lies but one other module gets no cluster of its own, so that ``layers.0`` isn't two
    frames around one thing.

    Args:
        modules: Paths, any order, repeated or not.

    Returns:
        Path → its clusters, outermost first.

    Example:
        >>> modules = [("encoder", "layers", "0", "fc"), ("encoder", "layers", "0"), ("encoder", "layers", "1")]
        >>> [frame.text for frame in group_paths(modules)[modules[0]]]
        ['encoder.layers', '0', 'fc']
    """
    own = set(modules)
    children: dict[tuple[str, ...], set[str]] = {}
    for path in own:
        for depth in range(len(path)):
            children.setdefault(path[:depth], set()).add(path[depth])

    def clusters(path: tuple[str, ...]) -> tuple[Frame, ...]:
        found: list[Frame] = []
        begun = 0
        for depth in range(1, len(path) + 1):
            if path[:depth] in own or len(children.get(path[:depth], ())) != 1:
                found.append(Frame(".".join(path[begun:depth]), depth))
                begun = depth
        return tuple(found)

    return {path: clusters(path) for path in own}


@dataclass
class Cluster:
    """A cluster and what lies in it.

    Attributes:
        group: The clusters' texts on the way to it; its own is the last. Empty for the whole picture.
        number: Its place in the order in which clusters are met; 0 is the whole picture.
        members: Boxes and clusters, in the order in which the first box of each stands.

    Example:
        >>> Cluster(("layers", "0"), 2).group[-1]
        '0'
    """

    group: tuple[str, ...]
    number: int
    members: list[Box | Cluster] = field(default_factory=list)


def tree(boxes: Iterable[Box]) -> Cluster:
    """Puts boxes into their clusters.

    Args:
        boxes: Boxes, with their ``group``.

    Returns:
        The whole picture, as a cluster.

    Example:
        >>> whole = tree([Box("a", (), group=("m", "0")), Box("b", ()), Box("c", (), group=("m",))])
        >>> [type(member).__name__ for member in whole.members]
        ['Cluster', 'Box']
    """
    whole = Cluster((), 0)
    known: dict[tuple[str, ...], Cluster] = {(): whole}
    for box in boxes:
        for depth in range(1, len(box.group) + 1):
            group = box.group[:depth]
            if group not in known:
                known[group] = Cluster(group, len(known))
                known[group[:-1]].members.append(known[group])
        known[box.group].members.append(box)
    return whole


def cluster_text(cluster: Cluster, picture: Picture) -> str:
    """Returns what is written on a cluster.

    Args:
        cluster: A cluster of the picture.
        picture: The picture.

    Returns:
        Its name, and its class where that's known.

    Example:
        >>> cluster_text(Cluster(("body", "9"), 1), Picture((), (), classes={("body", "9"): "BatchNorm1d"}))
        '9 BatchNorm1d'
    """
    return " ".join(filter(None, (cluster.group[-1], picture.classes.get(cluster.group))))
