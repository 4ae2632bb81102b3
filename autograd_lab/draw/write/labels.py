"""Text for Graphviz: HTML-like labels, quoted strings, and the one escape of each.

Every label is an HTML-like one, so that lines can have tones and slots can be ports. Relies on ``theme`` and
``picture``. Promises that any text is drawn as it stands: see Note [Escaping for dot].
"""

from __future__ import annotations

from collections.abc import Iterable

from autograd_lab.draw.picture import Box, Line, clean
from autograd_lab.draw.scales import look_of
from autograd_lab.draw.theme import INK, LOOKS, PAD, ROUND, SIZE, SLOT_PAD, TONES, Tone, gap, is_dark

# Note [Escaping for dot]
# A label passes through three readers. The lexer of `dot` counts `<` and `>`; the XML parser reads entities; then
# Graphviz replaces escapes such as `\N` (the node's name), so a backslash must be doubled although XML has no use
# for that. A tooltip is a quoted string: the lexer takes `\"`, then escapes are replaced twice over, so a backslash
# is written four times (Graphviz 14.1.5 was looked at), and whatever looks like an entity is read as one.

_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\\": "\\\\"})
_QUOTED = str.maketrans({"&": "&amp;", '"': '\\"', "\\": "\\" * 4, "\n": "\\n"})

_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'


def quoted(text: str) -> str:
    r"""Writes a quoted string for an attribute that isn't a label.

    Args:
        text: Any text, newlines included.

    Returns:
        The string with its quotation marks.

    Example:
        >>> print(quoted('say "a" & go'))
        "say \"a\" &amp; go"
    """
    return f'"{clean(text).translate(_QUOTED)}"'


def label(lines: Iterable[Line]) -> str:
    """Writes lines under each other as the label of an arrow, a cluster or a picture.

    Args:
        lines: The lines.

    Returns:
        An HTML-like label with its ``<`` and ``>``, and room to its left and right.

    Example:
        >>> label([Line("ŷ")]).count("ŷ")
        1
    """
    room = '<TD WIDTH="3"></TD>'
    cells = _cells(lines, INK, fixed=False)
    return f"<{_TABLE}{_rows(f'{room}{cell}{room}' for cell in cells)}</TABLE>>"


def words(lines: Iterable[Line], width: int) -> str:
    """Writes lines under each other, flush left in a label of a given width.

    Args:
        lines: The lines.
        width: Points.

    Returns:
        An HTML-like label with its ``<`` and ``>``.

    Example:
        >>> "ŷ" in words([Line("ŷ")], 20)
        True
    """
    cells = _cells(lines, INK, fixed=False)
    left = (cell.replace("<TD", f'<TD ALIGN="LEFT" WIDTH="{width}"', 1) for cell in cells)
    return f"<{_TABLE}{_rows(left)}</TABLE>>"


def box_label(box: Box, direction: str) -> str:
    """Writes a box's label, with a port for each of its slots.

    Args:
        box: The box.
        direction: The picture's. Slots stand on the sides where arrows come in and leave.

    Returns:
        An HTML-like label. Ports are ``i0``, ``i1``, … and ``o0``, ``o1``, ….

    Example:
        >>> "PORT=" in box_label(Box("n0", (Line("MulBackward0"),), outs=("0", "1")), "down")
        True
    """
    look = look_of(box.look, box.heat)
    fixed = is_dark(look) or bool(box.heat)
    texts = _cells(box.lines, look.ink, fixed=fixed)
    if not box.ins and not box.outs:
        return f"<{_table(texts)}>"
    before, after = (
        _slots(texts, port, direction, look.ink if fixed else None)
        for texts, port in ((box.ins, "i"), (box.outs, "o"))
    )
    if direction in ("up", "left"):
        before, after = after, before
    if direction in ("down", "up"):
        spacer = f'<TD HEIGHT="{PAD[1]:.0f}"></TD>'
        cells = [before or spacer, *texts, after or spacer]
        return f"<{_TABLE}{_rows(cells)}</TABLE>>"
    spacer = f'<TD WIDTH="{PAD[0]:.0f}"></TD>'
    return f"<{_TABLE}<TR>{before or spacer}<TD>{_table(texts)}</TD>{after or spacer}</TR></TABLE>>"


def margin(box: Box, direction: str) -> tuple[float, float]:
    """Returns the room between a box's label and its outline; slots touch the outline.

    Args:
        box: The box.
        direction: The picture's.

    Returns:
        Points at its sides, and above and below.

    Example:
        >>> margin(Box("n0", ()), "down"), margin(Box("n0", (), outs=("0", "1")), "down")
        ((7.0, 3.0), (7.0, 0.0))
    """
    if LOOKS[box.look].shape in ROUND:
        return PAD[0] / 2, 0.0  # an ellipse leaves room at the corners of its text anyway
    if not box.ins and not box.outs:
        return PAD
    return (PAD[0], 0.0) if direction in ("down", "up") else (0.0, PAD[1])


def _slots(texts: tuple[str, ...], port: str, direction: str, ink: str | None) -> str:
    """Returns a cell with the slots, each a port, or nothing; ``ink`` is their colour on a coloured ground."""
    if not texts:
        return ""
    pad = f"{SLOT_PAD[direction]:.0f}"
    words = [_text(text, TONES["slot"], ink or INK, fixed=ink is not None) for text in texts]
    cells = [f'<TD PORT="{port}{i}" CELLPADDING="{pad}">{text}</TD>' for i, text in enumerate(words)]
    inner = f"<TR>{''.join(cells)}</TR>" if direction in ("down", "up") else _rows(cells)
    return f"<TD>{_TABLE}{inner}</TABLE></TD>"


def _table(cells: list[str]) -> str:
    """Returns a table with a row for each line: in one cell Graphviz sets lines of two sizes too close together."""
    if len(cells) == 1:
        return cells[0].removeprefix("<TD>").removesuffix("</TD>")
    return f"{_TABLE}{_rows(cells)}</TABLE>"


def _rows(cells: Iterable[str]) -> str:
    return "".join(f"<TR>{cell}</TR>" for cell in cells)


def _cells(lines: Iterable[Line], ink: str, *, fixed: bool) -> list[str]:
    """Returns each line in its tone, spaced from the one above; at least one, since Graphviz refuses an empty table."""
    cells = []
    above: str | None = None
    for line in lines:
        if room := gap(above, line.tone):
            cells.append(f'<TD HEIGHT="{room:.0f}"></TD>')
        texts = clean(line.text).split("\n")
        cells += [f"<TD>{_text(text, TONES[line.tone], ink, fixed=fixed)}</TD>" for text in texts]
        above = line.tone
    return cells or ["<TD> </TD>"]


def _text(text: str, tone: Tone, ink: str, *, fixed: bool) -> str:
    """A line in its tone. ``fixed``: the box's ink for every tone, since its ground is dark."""
    words = clean(text).translate(_XML) or " "
    words = f"<B>{words}</B>" if tone.bold else words
    words = f"<I>{words}</I>" if tone.italic else words
    colour = ink if fixed or tone.ink is None else tone.ink
    font = f' COLOR="{colour}"' if colour != INK else ""
    font += f' POINT-SIZE="{tone.size:g}"' if tone.size != SIZE else ""
    return f"<FONT{font}>{words}</FONT>" if font else words
