"""A picture's title and legend in Graphviz's language.

The sign of a kind of box is a small box of that kind, that of a kind of arrow a short arrow. Relies on ``theme``,
``attributes`` and ``labels``. Promises that a legend has no part in the layout of what it explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from autograd_lab.draw.layout.sizes import lines_size
from autograd_lab.draw.picture import Entry, Line
from autograd_lab.draw.theme import LOOKS, STROKES, SWATCH
from autograd_lab.draw.write.attributes import attributes_of, edge, look_of, stroke_of
from autograd_lab.draw.write.labels import label, quoted, words

if TYPE_CHECKING:
    from autograd_lab.draw.layout.placing import Furniture
    from autograd_lab.draw.layout.routes import Point

_TEXT = {"shape": "plain", "style": "solid", "peripheries": "0", "width": "0", "height": "0", "margin": "0"}
_NOTHING = {"shape": "point", "style": "invis", "width": "0.01", "height": "0.01"}
_TOOLTIP = {"tooltip": quoted("legend")}


def placed(entries: Sequence[Entry], furniture: Furniture) -> Iterator[str]:
    """Writes the title and the legend where they belong.

    Args:
        entries: The legend.
        furniture: Their places.

    Yields:
        Lines.
    """
    x, y = furniture.above
    for at, text in enumerate(furniture.title):
        line = (Line(text, "caption"),)
        width, height = lines_size(line)
        tooltip = {"tooltip": quoted("title")}
        yield _node(f"title_{at}", _TEXT | tooltip | {"label": words(line)}, (x + width / 2, y - height / 2))
        y -= height
    for at, (entry, (left, middle)) in enumerate(zip(entries, furniture.legend, strict=True)):
        yield from _sign(f"sign_{at}", entry, (left, middle))
        line = (Line(entry.means, "legend"),)
        here = (left + furniture.key + lines_size(line)[0] / 2, middle)
        yield _node(f"means_{at}", _TEXT | _TOOLTIP | {"label": words(line)}, here)


def _sign(key: str, entry: Entry, left: Point) -> Iterator[str]:
    (x, y), (width, height) = left, SWATCH
    if entry.look:
        size = {"fixedsize": "true", "width": f"{width / 72:.3f}", "height": f"{height / 72:.3f}"}
        yield _node(key, look_of(LOOKS[entry.look]) | size | _TOOLTIP | {"label": '""'}, (x + width / 2, y))
    elif entry.stroke:
        stroke = STROKES[entry.stroke]
        yield _node(f"{key}a", _NOTHING, (x, y))
        yield _node(f"{key}b", _NOTHING, (x + width, y))
        end = x + width - (5.0 if stroke.head else 0.0)
        curve = " ".join(f"{x + (end - x) * part / 3:.1f},{y:.1f}" for part in range(4))
        pos = f'"e,{x + width:.1f},{y:.1f} {curve}"' if stroke.head else f'"{curve}"'
        yield edge(f"{key}a", f"{key}b", stroke_of(stroke) | {"arrowsize": "0.5", "pos": pos} | _TOOLTIP)
    else:
        line = (Line(entry.sign, entry.tone),)
        here = (x + lines_size(line)[0] / 2, y)
        yield _node(key, _TEXT | _TOOLTIP | {"label": words(line)}, here)


def laid_out(entries: Sequence[Entry]) -> Iterator[str]:
    """Writes the legend for whoever lays the picture out: in a frame of its own, one entry under the other.

    Args:
        entries: The legend.

    Yields:
        Lines.
    """
    if not entries:
        return
    yield "subgraph cluster_legend {"
    yield f"  graph [label=<legend>, style=dotted, {attributes_of({'labeljust': 'l'} | _TOOLTIP)}];"
    before = ""
    for at, entry in enumerate(entries):
        means = label((Line(entry.means, "legend"),))
        first = last = f"sign_{at}"
        if entry.look:
            yield f"  {_node(first, look_of(LOOKS[entry.look]) | _TOOLTIP | {'label': means})}"
        elif entry.stroke:
            first, last = f"sign_{at}a", f"sign_{at}b"
            yield f"  {_node(first, _NOTHING)}"
            yield f"  {_node(last, _NOTHING)}"
            yield f"  {edge(first, last, stroke_of(STROKES[entry.stroke]) | {'label': means})}"
        else:
            both = label((Line(entry.sign, entry.tone), Line(entry.means, "legend")))
            yield f"  {_node(first, _TEXT | _TOOLTIP | {'label': both})}"
        if before:
            yield f"  {before} -> {first} [style=invis];"
        before = last
    yield "}"


def _node(key: str, attributes: dict[str, str], middle: Point | None = None) -> str:
    place = {} if middle is None else {"pos": f'"{middle[0]:.1f},{middle[1]:.1f}"'}
    return f"{key} [{attributes_of(attributes | place)}];"
