"""``dot``'s own layout, read from its JSON, so that the lab can put in what ``dot`` has no good place for.

``dot`` writes a cluster's name where it likes, and draws edges through it. So its layout is taken for the boxes, the
curves and the frames alone, and each name goes where no curve runs in the strip that ``dot`` left for it.

Relies on the fields of Graphviz's ``json0``: ``objects`` (nodes with ``pos``, ``width`` and ``height``; clusters with
``bb`` and ``lp``) and ``edges`` (``pos``, ``lp`` and the ``id`` that `write.dot` gives them). Promises a place for
every box, arrow and cluster of the picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from autograd_lab.draw.groups import Cluster, cluster_text, tree
from autograd_lab.draw.layout.placing import Framed, Placement
from autograd_lab.draw.layout.routes import Point, Route
from autograd_lab.draw.layout.sizes import lines_size
from autograd_lab.draw.layout.space import Rect, Space
from autograd_lab.draw.picture import Line, Picture

_POINTS = 72.0
_SIDE = 7.0
"""Points between a cluster's outline and its name."""


def read(picture: Picture, answer: bytes | str) -> Placement:
    """Reads where ``dot`` put everything.

    Args:
        picture: What was laid out.
        answer: Graphviz's ``json0`` of it.

    Returns:
        The places, those of clusters and their names included.
    """
    laid = json.loads(answer)
    objects = {each["name"]: each for each in laid.get("objects", ())}
    edges = {each["id"]: each for each in laid.get("edges", ()) if "id" in each}
    indices = range(len(picture.arrows))
    routes = tuple(_route(edges[f"e{i}"]["pos"]) for i in indices)
    back = tuple(_route(edges[f"b{i}"]["pos"]) if picture.arrows[i].back else None for i in indices)
    sizes = tuple(
        (float(objects[box.key]["width"]) * _POINTS, float(objects[box.key]["height"]) * _POINTS)
        for box in picture.boxes
    )
    positions = tuple(_point(objects[box.key]["pos"]) for box in picture.boxes)
    placement = Placement(
        sizes,
        positions,
        routes,
        back,
        tuple(_label(edges[f"e{i}"]) for i in indices),
        tuple(_label(edges.get(f"b{i}", {})) for i in indices),
    )
    return placement._replace(clusters=tuple(_named(picture, placement, objects)))


def _named(picture: Picture, placement: Placement, objects: Mapping[str, Any]) -> Iterable[Framed]:
    space = Space(
        (*placement.box_rects(), *placement.label_rects(picture)),
        (route for route in (*placement.routes, *placement.back) if route is not None),
    )
    for cluster in _clusters(tree(picture.boxes)):
        found = objects[f"cluster_{cluster.number}"]
        left, bottom, right, top = map(float, found["bb"].split(","))
        frame = Rect(left, bottom, right, top)
        width, height = lines_size((Line(cluster_text(cluster, picture), "module"),))
        y = _point(found["lp"])[1]
        strip = Rect(left + _SIDE, y - height / 2, right - _SIDE, y + height / 2)
        x = space.free_from_left(strip, width)
        if x is None:  # then the name stands before the curve
            x = strip.left
        here = Rect.around((x + width / 2, y), (width, height))
        space.add(here)
        yield Framed(frame, here)


def _clusters(cluster: Cluster) -> Iterable[Cluster]:
    """In the order of their numbers, which is that in which they're met."""
    found = []
    waiting = [cluster]
    while waiting:
        for member in waiting.pop().members:
            if isinstance(member, Cluster):
                found.append(member)
                waiting.append(member)
    return sorted(found, key=lambda each: each.number)


def _label(edge: Mapping[str, Any]) -> Point | None:
    return _point(edge["lp"]) if "lp" in edge else None


def _point(text: str) -> Point:
    x, y = text.split(",")[:2]
    return float(x), float(y)


def _route(pos: str) -> Route:
    """Graphviz's ``e,tip start … end``; written with ``s,tip`` first where the arrowhead is at the tail."""
    points, head, tail = [], None, None
    for word in pos.split():
        if word.startswith("e,"):
            head = _point(word[2:])
        elif word.startswith("s,"):
            tail = _point(word[2:])
        else:
            points.append(_point(word))
    if tail is not None:
        points[0] = tail
        return Route(tuple(points[::-1]), head=True)
    if head is not None:
        points[-1] = head
    return Route(tuple(points), head=head is not None)
