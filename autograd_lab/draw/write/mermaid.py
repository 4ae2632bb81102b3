"""A picture as a Mermaid flowchart inside a Markdown document, as Git hosts and notebooks show it.

Relies on ``picture``, ``groups`` and ``theme``. Promises that every box and every arrow is written and that any text
survives: see Note [Escaping for Mermaid]. Mermaid lays the chart out itself, and it draws no chart of more than 500
arrows or 50,000 characters unless its own configuration is changed; the document says so where that matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from autograd_lab.draw.groups import Cluster, cluster_text, tree
from autograd_lab.draw.picture import Arrow, Box, Line, Picture, clean
from autograd_lab.draw.scales import look_of
from autograd_lab.draw.theme import (
    LOOKS,
    MODULE_FILLS,
    MODULE_LINE,
    QUIET,
    STROKES,
    TONES,
    Look,
    Stroke,
)

# Classes begin with `lab_` because Mermaid's own style sheet has `root`, `node`, `label` and others.

# Note [Escaping for Mermaid]
# In a quoted label Mermaid reads `#35;` as the character with that number, then a browser reads what comes out as
# HTML, and some versions read Markdown in between (`1. ` at the start became "Unsupported markdown: list"). So every
# ASCII character that isn't a letter, a digit or one of a few harmless signs is written as its number.

_HARMLESS = set(" ,:=()[]/+?!'")
_ESCAPES = {
    code: f"#{code};"
    for code in range(0x20, 0x7F)
    if not (chr(code).isalnum() or chr(code) in _HARMLESS or chr(code) in "._-")
}

_BACK = {"down": "↑", "up": "↓", "right": "←", "left": "→"}
_DIRECTION = {"down": "TB", "up": "BT", "right": "LR", "left": "RL"}

_BRACKETS = {
    "rounded": ("(", ")"),
    "box": ("[", "]"),
    "double": ("[/", "/]"),
    "framed": ("[[", "]]"),
    "component": ("{{", "}}"),
    "note": (">", "]"),
    "folder": ("[(", ")]"),
    "tab": ("[/", "\\]"),
    "ellipse": ("([", "])"),
    "circle": ("((", "))"),
    "plain": ("[", "]"),
}

MOST_ARROWS = 500
MOST_CHARACTERS = 50_000
"""Mermaid's own limits, ``maxEdges`` and ``maxTextSize``; a document can't raise them from inside."""


def to_mermaid(picture: Picture) -> str:
    """Writes a picture as a Markdown document with a Mermaid flowchart.

    Args:
        picture: What to draw.

    Returns:
        The document.

    Example:
        >>> print(to_mermaid(Picture((Box("a", (Line("ŷ"),)),), ())))  # doctest: +ELLIPSIS
        ```mermaid
        flowchart TB
          a("ŷ"):::lab_op
        ...
    """
    chart = "\n".join(_chart(picture))
    parts = [f"# {_markdown(picture.title)}\n\n"] if picture.title else []
    arrows = len(picture.arrows) + sum(bool(entry.stroke) for entry in picture.legend)
    if arrows > MOST_ARROWS or len(chart) > MOST_CHARACTERS:
        parts.append(
            f"This chart has {arrows} arrows and {len(chart)} characters. Mermaid draws up to "
            f"{MOST_ARROWS} and {MOST_CHARACTERS} unless the page that shows it sets `maxEdges` and "
            "`maxTextSize`.\n\n"
        )
    parts.append(f"```mermaid\n{chart}\n```\n")
    if picture.note:
        parts.append(f"\n{_markdown(picture.note)}\n")
    return "".join(parts)


def _chart(picture: Picture) -> Iterator[str]:
    yield f"flowchart {_DIRECTION[picture.direction]}"
    whole = tree(picture.boxes)
    yield from (f"  {line}" for line in _members(whole, picture))
    slotted = {box.key: (box.ins, box.outs) for box in picture.boxes}
    yield from (f"  {_arrow(arrow, picture.direction, slotted)}" for arrow in picture.arrows)
    yield from (f"  {line}" for line in _legend(picture))
    used = dict.fromkeys([*(box.look for box in picture.boxes), *(e.look for e in picture.legend if e.look)])
    yield from (f"  classDef lab_{look} {_class(LOOKS[look])}" for look in used)
    yield from (f"  {line}" for line in _link_styles(picture))
    yield from (f"  {line}" for line in _cluster_styles(whole))
    yield from (f"  {line}" for line in _heats(picture))
    if picture.legend:
        yield f"  style legend fill:none,stroke:{MODULE_LINE},color:{QUIET}"


# --- boxes ---------------------------------------------------------------------------


def _members(cluster: Cluster, picture: Picture) -> Iterator[str]:
    for member in cluster.members:
        if isinstance(member, Box):
            yield _box(member)
        else:
            yield f'subgraph cluster_{member.number}["{_escaped(cluster_text(member, picture))}"]'
            yield from (f"  {line}" for line in _members(member, picture))
            yield "end"


def _box(box: Box) -> str:
    opens, closes = _BRACKETS[LOOKS[box.look].shape]
    return f'{box.key}{opens}"{_text(box.lines)}"{closes}:::lab_{box.look}'


def _class(look: Look) -> str:
    dash = ",stroke-dasharray:4 3" if look.dashed else ""
    return f"fill:{look.fill},stroke:{look.line},color:{look.ink},stroke-width:{look.width:g}px{dash}"


def _cluster_styles(cluster: Cluster) -> Iterator[str]:
    if cluster.group:
        fill = MODULE_FILLS[(len(cluster.group) - 1) % len(MODULE_FILLS)]
        yield f"style cluster_{cluster.number} fill:{fill},stroke:{MODULE_LINE},color:{QUIET}"
    for member in cluster.members:
        if isinstance(member, Cluster):
            yield from _cluster_styles(member)


# --- arrows --------------------------------------------------------------------------


def _arrow(arrow: Arrow, direction: str, slotted: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> str:
    slots = _slots(arrow, slotted)
    # An arrow back would turn Mermaid's layout round, so its label stands on the one that it runs beside.
    back = tuple(Line(f"{_BACK[direction]} {line.text}", line.tone) for line in arrow.back)
    lines = (*((Line(slots),) if slots else ()), *arrow.lines, *back)
    label = f'|"{_text(lines)}"|' if lines else ""
    return f"{arrow.tail} {_line(STROKES[arrow.look])}{label} {arrow.head}"


def _line(stroke: Stroke) -> str:
    shaft = {"solid": "--", "dashed": "-.-", "dotted": "-.-"}[stroke.dash]
    return shaft + (">" if stroke.head else ("-" if stroke.dash == "solid" else ""))


def _slots(arrow: Arrow, slotted: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> str:
    """Mermaid has no ports, so the slots stand on the arrow: ``0``, ``→1`` or ``0→1``."""
    text = ""
    if arrow.tail_slot is not None and slotted[arrow.tail][1]:
        text = str(arrow.tail_slot)
    if arrow.head_slot is not None and slotted[arrow.head][0]:
        text += f"→{arrow.head_slot}"
    return text


def _link_styles(picture: Picture) -> Iterator[str]:
    indices: dict[str, list[str]] = {}
    strokes = (entry.stroke for entry in picture.legend if entry.stroke)
    for index, look in enumerate([*(arrow.look for arrow in picture.arrows), *strokes]):
        indices.setdefault(look, []).append(str(index))
    for look, those in indices.items():
        stroke = STROKES[look]
        yield f"linkStyle {','.join(those)} stroke:{stroke.line},stroke-width:{stroke.width:g}px"


def _heats(picture: Picture) -> Iterator[str]:
    hot = [(box.key, look_of(box.look, box.heat)) for box in picture.boxes if box.heat]
    hot += [(f"sign_{i}", look_of("op", entry.heat)) for i, entry in enumerate(picture.legend) if entry.heat]
    yield from (f"style {key} {_class(look)}" for key, look in hot)


# --- legend --------------------------------------------------------------------------


def _legend(picture: Picture) -> Iterator[str]:
    """A frame with a box or an arrow for each entry; the arrows' numbers follow those of the picture."""
    if not picture.legend:
        return
    yield 'subgraph legend["legend"]'
    for index, entry in enumerate(picture.legend):
        means = _escaped(entry.means)
        if entry.look or entry.heat:
            opens, closes = _BRACKETS[LOOKS[entry.look or "op"].shape]
            yield f'  sign_{index}{opens}"{means}"{closes}:::lab_{entry.look or "op"}'
        elif entry.stroke:
            yield f'  sign_{index}a[" "] {_line(STROKES[entry.stroke])}|"{means}"| sign_{index}b[" "]'
        else:
            yield f'  sign_{index}["<b>{_escaped(entry.sign)}</b> {means}"]'
    yield "end"


# --- text ----------------------------------------------------------------------------


def _text(lines: tuple[Line, ...]) -> str:
    texts = [
        f"<b>{_escaped(text)}</b>" if TONES[line.tone].bold and text else _escaped(text)
        for line in lines
        for text in clean(line.text).split("\n")
    ]
    return "<br/>".join(texts) or " "


def _escaped(text: str) -> str:
    text = clean(text).replace("\n", " ").translate(_ESCAPES)
    # A list's mark at the start: `1. `, `- `.
    return re.sub(
        r"^(\d+)\.(?=\s|$)|^-(?=\s|$)", lambda found: f"{found[1]}#46;" if found[1] else "#45;", text
    )


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|&~])", r"\\\1", clean(text).replace("\n", " "))
