"""A picture's title, legend and note in Graphviz's language.

Each entry shows a small box or a short arrow of the kind that it explains. Relies on ``theme``,
``attributes`` and ``labels``. Promises that a legend has no part in the layout of what it explains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from autograd_lab.draw import scales
from autograd_lab.draw.layout.sizes import lines_size
from autograd_lab.draw.picture import Entry, Line
from autograd_lab.draw.theme import STROKES, SWATCH
from autograd_lab.draw.write.attributes import attributes_of, edge, look_of, stroke_of
from autograd_lab.draw.write.labels import label, quoted, words

if TYPE_CHECKING:
    from autograd_lab.draw.layout.placing import Furniture
    from autograd_lab.draw.layout.routes import Point

_TEXT = {"shape": "plain", "style": "solid", "peripheries": "0", "width": "0", "height": "0", "margin": "0"}
_SPARE = 1.1
"""Text gets so much more room than was reckoned, so that it begins where it should even where it's wider."""

_NOTHING = {"shape": "point", "style": "invis", "width": "0.01", "height": "0.01"}
_TOOLTIP = {"tooltip": quoted("legend")}


def placed(entries: Sequence[Entry], furniture: Furniture) -> Iterator[str]:
    """Writes the title, the legend and the note where they belong.

    Args:
        entries: The legend.
        furniture: Their places.

    Yields:
        Lines.
    """
    yield from _lines("title", furniture.title, "caption", furniture.above)
    yield from _lines("note", furniture.note, "legend", furniture.below)
    entries = entries if furniture.legend else ()
    for index, (entry, (left, middle)) in enumerate(zip(entries, furniture.legend, strict=True)):
        yield from _sign(f"sign_{index}", entry, (left, middle))
        yield _text(f"means_{index}", Line(entry.means, "legend"), (left + furniture.key, middle))


def _lines(key: str, texts: Sequence[str], tone: str, corner: Point) -> Iterator[str]:
    """Lines of text under each other; ``corner`` is the upper left one of the first."""
    x, y = corner
    for index, text in enumerate(texts):
        height = lines_size((Line(text, tone),))[1]
        yield _text(f"{key}_{index}", Line(text, tone), (x, y - height / 2), key)
        y -= height


def _sign(key: str, entry: Entry, left: Point) -> Iterator[str]:
    (x, y), (width, height) = left, SWATCH
    if entry.look or entry.heat:
        size = {"fixedsize": "true", "width": f"{width / 72:.3f}", "height": f"{height / 72:.3f}"}
        yield _node(key, _look(entry) | size | _TOOLTIP | {"label": '""'}, (x + width / 2, y))
    elif entry.stroke:
        stroke = STROKES[entry.stroke]
        yield _node(f"{key}a", _NOTHING, (x, y))
        yield _node(f"{key}b", _NOTHING, (x + width, y))
        end = x + width - (5.0 if stroke.head else 0.0)
        curve = " ".join(f"{x + (end - x) * part / 3:.1f},{y:.1f}" for part in range(4))
        pos = f'"e,{x + width:.1f},{y:.1f} {curve}"' if stroke.head else f'"{curve}"'
        yield edge(f"{key}a", f"{key}b", stroke_of(stroke) | {"arrowsize": "0.5", "pos": pos} | _TOOLTIP)
    else:
        yield _text(key, Line(entry.sign, entry.tone), left)


def _look(entry: Entry) -> dict[str, str]:
    return look_of(scales.look_of(entry.look or "op", entry.heat))


def laid_out(entries: Sequence[Entry], note: str) -> Iterator[str]:
    """Writes the legend in a frame of its own, one entry under the other, for Graphviz to lay out.

    Args:
        entries: The legend.
        note: Stands under it.

    Yields:
        Lines.
    """
    if not entries and not note:
        return
    yield "subgraph cluster_legend {"
    yield f"  graph [label=<legend>, style=dotted, {attributes_of({'labeljust': 'l'} | _TOOLTIP)}];"
    before = ""
    for index, entry in enumerate(entries):
        means = label((Line(entry.means, "legend"),))
        first = last = f"sign_{index}"
        if entry.look or entry.heat:
            yield f"  {_node(first, _look(entry) | _TOOLTIP | {'label': means})}"
        elif entry.stroke:
            first, last = f"sign_{index}a", f"sign_{index}b"
            yield f"  {_node(first, _NOTHING)}"
            yield f"  {_node(last, _NOTHING)}"
            yield f"  {edge(first, last, stroke_of(STROKES[entry.stroke]) | {'label': means})}"
        else:
            both = label((Line(entry.sign, entry.tone), Line(entry.means, "legend")))
            yield f"  {_node(first, _TEXT | _TOOLTIP | {'label': both})}"
        if before:
            yield f"  {before} -> {first} [style=invis];"
        before = last
    if note:
        yield f"  {_node('note', _TEXT | _TOOLTIP | {'label': label((Line(note, 'legend'),))})}"
        if before:
            yield f"  {before} -> note [style=invis];"
    yield "}"


def _text(key: str, line: Line, left: Point, tooltip: str = "legend") -> str:
    """Returns a line of text that begins at a point, whatever width Graphviz reckons for it."""
    width = math.ceil(lines_size((line,))[0] * _SPARE)
    attributes = _TEXT | {"tooltip": quoted(tooltip), "label": words((line,), width)}
    return _node(key, attributes, (left[0] + width / 2, left[1]))


def _node(key: str, attributes: dict[str, str], middle: Point | None = None) -> str:
    pinned = {} if middle is None else {"pos": f'"{middle[0]:.1f},{middle[1]:.1f}"'}
    return f"{key} [{attributes_of(attributes | pinned)}];"
