"""How much room a box takes, so that another layout than Graphviz's own can place it.

Relies on ``theme`` and ``widths``. Promises the sizes of the drawn boxes to within 5 %: Graphviz
fits letters to a grid of pixels, which a table of widths can't know.
"""

from __future__ import annotations

from autograd_lab.draw.layout.widths import line_height, text_width
from autograd_lab.draw.picture import Box, Line, clean
from autograd_lab.draw.theme import LOOKS, PAD, ROUND, SLOT_PAD, SMALLEST, TONES, gap

_SECOND_OUTLINE = 8.0


def box_size(box: Box, direction: str = "down") -> tuple[float, float]:
    """Returns a box's width and height.

    Args:
        box: The box.
        direction: The picture's; slots stand side by side across it.

    Returns:
        Points.

    Example:
        >>> width, height = box_size(Box("n0", (Line("MulBackward0", "title"), Line("f32[2,3]"))))
        >>> round(width), round(height)
        (96, 32)
    """
    width, height = lines_size(box.lines or (Line(" "),))
    shape = LOOKS[box.look].shape
    if shape in ROUND:
        # Around a rectangle the smallest ellipse of its proportions is √2 as wide and high.
        width, height = (width + PAD[0]) * 2**0.5, height * 2**0.5
        return (max(width, SMALLEST), max(height, SMALLEST)) if shape == "circle" else (width, height)
    if shape == "plain":
        return width, height
    width, height = width + 2 * PAD[0], height + 2 * PAD[1]
    for texts in filter(None, (box.ins, box.outs)):
        widths, heights = zip(*slot_sizes(texts, direction), strict=True)
        if direction in ("down", "up"):
            width, height = max(width, sum(widths) + 2 * PAD[0]), height + max(heights) - PAD[1]
        else:
            width, height = width + max(widths) - PAD[0], max(height, sum(heights) + 2 * PAD[1])
    more = outer_outline(box)
    return width + more, height + more


def outer_outline(box: Box) -> float:
    """Returns what a second outline adds to a box; Graphviz doesn't count it in the ``width`` of the node.

    Args:
        box: The box.

    Returns:
        Points of its width and of its height.

    Example:
        >>> outer_outline(Box("n0", (), "compiled"))
        8.0
    """
    return _SECOND_OUTLINE if LOOKS[box.look].shape in ("double", "framed") else 0.0


def slot_sizes(texts: tuple[str, ...], direction: str = "down") -> list[tuple[float, float]]:
    """Returns the width and height of slots.

    Args:
        texts: A box's ``ins`` or ``outs``.
        direction: The picture's.

    Returns:
        Points, for each slot.

    Example:
        >>> [round(width, 1) for width, _ in slot_sizes(("0", "10"))]
        [7.1, 12.2]
    """
    cells = [lines_size((Line(text, "slot"),)) for text in texts]
    room = 2 * SLOT_PAD[direction]
    return [(width + room, height + room) for width, height in cells]


def lines_size(lines: tuple[Line, ...]) -> tuple[float, float]:
    """Returns the width and height of lines of text under each other.

    Args:
        lines: The lines.

    Returns:
        Points.

    Example:
        >>> lines_size(())
        (0.0, 0.0)
    """
    width = height = 0.0
    for above, line in zip((None, *lines), lines, strict=False):
        tone = TONES[line.tone]
        height += gap(above and above.tone, line.tone)
        for text in clean(line.text).split("\n"):
            width = max(width, text_width(text, tone.size, tone.bold))
            height += line_height(tone.size)
    return width, height
