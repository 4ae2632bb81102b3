"""Which module each node of a graph belongs to.

Relies on the records. A node that an operation made says so itself (``Node.module``); a leaf belongs to the module
that its name begins with. Promises that a leaf which several modules or several calls of one share belongs to
what they have in common, that nothing is guessed where no module is known, and that a module which is never called has
no place of its own where gradients leave it and come back: see Note [Containers].
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from autograd_lab.records import Graph, Node

Path = tuple[str, ...]
"""A module's dotted path, cut at the dots; empty for the model itself. Of a container without a place of its own the
name stands before its children's: ``("net", "blocks.0")``."""

_CALL = re.compile(r"#\d+$")

# Note [Homes of leaves]
# No forward makes a leaf, so its name has to say where it belongs: "layers.0.weight" to "layers.0", or, if that
# module made no node (its weight is used by the module around it), to the nearest one around it that did. Where that
# module was called several times ("cell", "cell#2"), the leaf belongs to the calls that use it; if these are several,
# to the innermost module around all of them, since drawn inside the first call it would tell of a gradient that flows
# from the others into that one. A tied parameter has several names and lies around all of its modules likewise. A name
# without a dot may be a parameter of the model itself or an input: it's the model's if the model's own forward uses it.
#
# The model's own second call is "Net#2", after its class, and "Net#2.layers.0" lies in it, where the first call's
# modules have no such beginning. So a numbered first part stands for the model itself where neither a module without
# the number nor a leaf's name begins with it. Then the first call gets the class as its first part, so that it is a
# call beside the others: "Net" and "Net#2"; leaves that both use lie around them.
#
# Note [Containers]
# A `ModuleList` is never called, so between the calls of what it holds the module around it may go on: gradients leave
# the list and come back. Drawn as one box, or with a frame around it, it would tell of a circle that isn't there. So
# where no node was made in a module itself and some way leads out of it and back in, its children stand in its place.
# What was called can't be left like that: a call is over before what follows it begins.


def homes(graph: Graph) -> list[Path | None]:
    """Says for each node which module it belongs to.

    Args:
        graph: The graph.

    Returns:
        One for each node: the path, calls' suffixes included; ``()`` for the model itself; ``None`` outside.

    Example:
        >>> from autograd_lab.records import Edge
        >>> leaf = Node(1, "AccumulateGrad", "accumulate", 9, variable="fc.weight")
        >>> homes(Graph((Node(0, "TBackward0", "op", 0, next=(Edge(1, 0),), module="fc"), leaf), ()))
        [('fc',), ('fc',)]
    """
    found = [_path(node) for node in graph.nodes]
    if not any(path is not None for path in found):
        return found
    again = _model_again(graph, (path for path in found if path))
    if again:
        first = min(_CALL.sub("", name) for name in again)
        found = [
            path if path is None or (path[:1] and path[0] in again) else (first, *path) for path in found
        ]
        again |= {first}
    calls: dict[Path, dict[Path, None]] = defaultdict(dict)
    for path in found:
        for length in range(len(path or ()) + 1):
            if path is not None:
                calls[_own(path[:length], again)][path[:length]] = None
    users: dict[int, list[Path]] = defaultdict(list)
    for tail, _, edge in graph.edges:
        path = found[tail]
        if path is not None:
            users[edge.node].append(path)
    for node in graph.leaves:
        if node.module is None:
            found[node.id] = _home(node, users[node.id], calls, again)
    return _without(_circular(graph, found), found)


def class_finder(graph: Graph) -> Callable[[Path], str | None]:
    """Returns what finds the class of a module.

    Args:
        graph: The graph.

    Returns:
        A function of one of the paths that `homes` gives, or of a part of it from the start; it returns ``None`` where
        the class isn't known, or is the path's last name.

    Example:
        >>> class_finder(Graph((), (), classes=(("fc", "Linear"),)))(("fc#2",))
        'Linear'
    """
    known = dict(graph.classes)

    def class_of(path: Path) -> str | None:
        names = bare(path)
        found = known.get(".".join(names))
        if (
            found is None and names and names[0] == known.get("")
        ):  # the model's own calls are named after its class
            found = known.get(".".join(names[1:]))
        return None if names and found == names[-1] else found

    return class_of


def bare(path: Path) -> Path:
    """Returns a module's own path, without the numbers of its calls.

    Args:
        path: A path.

    Returns:
        The path as ``named_modules()`` has it.

    Example:
        >>> bare(("decoder#2", "cell"))
        ('decoder', 'cell')
    """
    return tuple(_CALL.sub("", name) for name in path)


def _path(node: Node) -> Path | None:
    if node.module is None:
        return None
    return tuple(node.module.split(".")) if node.module else ()


def _model_again(graph: Graph, paths: Iterable[Path]) -> frozenset[str]:
    """The first parts that stand for further calls of the model itself: see Note [Homes of leaves]."""
    firsts = {path[0] for path in paths}
    numbered = {first for first in firsts if _CALL.search(first)}
    if not numbered:
        return frozenset()
    names = (name for leaf in graph.leaves for name in (leaf.variable, *leaf.aliases) if name is not None)
    modules = firsts | {name.partition(".")[0] for name in names if "." in name}
    return frozenset(first for first in numbered if _CALL.sub("", first) not in modules)


def _own(path: Path, again: frozenset[str]) -> Path:
    """A module's own path, where the model's further calls are the model."""
    return bare(path[1:] if path and path[0] in again else path)


def _home(
    leaf: Node, users: list[Path], calls: dict[Path, dict[Path, None]], again: frozenset[str]
) -> Path | None:
    """Note [Homes of leaves]."""
    paths = [
        path
        for name in (leaf.variable, *leaf.aliases)
        if name is not None
        for path in _paths(name, users, calls, again)
    ]
    return _common(paths) if paths else None


def _paths(
    name: str, users: list[Path], calls: dict[Path, dict[Path, None]], again: frozenset[str]
) -> Iterator[Path]:
    module = tuple(name.split(".")[:-1])
    if not module:
        yield from {
            user[:1] if user[:1] and user[0] in again else () for user in users if not _own(user, again)
        }
        return
    while module not in calls:  # the model itself is always there
        module = module[:-1]
    starts = (user[: len(module) + (user[:1] != () and user[0] in again)] for user in users)
    used = {start for start in starts if _own(start, again) == module}
    yield from used or calls[module]


def _circular(graph: Graph, found: list[Path | None]) -> set[Path]:
    """The modules of Note [Containers]."""
    inside: dict[Path, set[int]] = defaultdict(set)
    called = set()
    for node, path in zip(graph.nodes, found, strict=True):
        if path is not None and node.kind != "accumulate":
            called.add(path)
            for length in range(1, len(path)):
                inside[path[:length]].add(node.id)
    return {path for path, nodes in inside.items() if path not in called and _comes_back(graph, nodes)}


def _comes_back(graph: Graph, nodes: set[int]) -> bool:
    """Whether a way leads out of some nodes and back in. Nodes stand in the order in which gradients reach them."""
    last = max(nodes)
    beyond: set[int] = set()
    for node_id in range(min(nodes), last + 1):
        if node_id in nodes or node_id in beyond:
            heads = {edge.node for edge in graph.nodes[node_id].next if edge is not None}
            if node_id in beyond and not heads.isdisjoint(nodes):
                return True
            beyond |= heads - nodes
    return False


def _without(containers: set[Path], found: list[Path | None]) -> list[Path | None]:
    """Adds a container's name to those of its children."""
    if not containers:
        return found

    def joined(path: Path) -> Path:
        names: list[str] = []
        before = ""
        for length, name in enumerate(path, start=1):
            if path[:length] in containers and length < len(path):
                before += f"{name}."
            else:
                names.append(before + name)
                before = ""
        return tuple(names)

    return [path and joined(path) for path in found]


def _common(paths: Iterable[Path]) -> Path:
    first, *others = paths
    length = len(first)
    for other in others:
        while first[:length] != other[:length]:
            length -= 1
    return first[:length]
