"""The lowered form: boxes with text and arrows between them, before any language of pictures.

Views (``views``) make a ``Picture`` of a record; writers (``write``) put it in
words. Relies on ``errors`` only. Promises that a picture is plain data that compares by value, so a
view can be tested without drawing anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from autograd_lab.errors import escaped

DIRECTIONS = ("down", "up", "right", "left")
"""Which way the arrows of a picture point, as a rule."""


class Line(NamedTuple):
    """A line of text.

    Attributes:
        text: Any text; a newline in it starts a new line of the same tone.
        tone: A key of ``theme.TONES``.

    Example:
        >>> Line("MulBackward0", "title").tone
        'title'
    """

    text: str
    tone: str = "plain"


class Box(NamedTuple):
    """A box.

    Attributes:
        key: Names it in arrows: an ASCII letter, then ASCII letters, digits or ``_``.
        lines: Its text, from the top.
        look: A key of ``theme.LOOKS``.
        tooltip: Shown when the pointer rests on it, in formats that can.
        group: The clusters that it's in, outermost first; a cluster is known by the whole path to it.
        ins: Texts of its input slots, drawn side by side where arrows come in; empty for none.
        outs: Texts of its output slots, drawn where arrows leave.
        heat: A key of ``theme.HEATS``, where it's coloured by a value; empty for none.

    Example:
        >>> Box("n0", (Line("ExpBackward0", "title"),)).look
        'op'
    """

    key: str
    lines: tuple[Line, ...]
    look: str = "op"
    tooltip: str = ""
    group: tuple[str, ...] = ()
    ins: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    heat: str = ""


class Arrow(NamedTuple):
    """An arrow from one box to another. Arrows between the same two boxes are all drawn.

    Attributes:
        tail: Key of the box that it leaves.
        head: Key of the box that it leads to.
        lines: Its label.
        look: A key of ``theme.STROKES``.
        tail_slot: Which of the tail's ``outs`` it leaves; ``None`` where it has none.
        head_slot: Which of the head's ``ins`` it leads to.
        back: The label of the arrow that runs back beside it, in the ``"backward"`` stroke; empty for none.

    Example:
        >>> Arrow("n0", "n1", (Line("ŷ", "name"),)).look
        'edge'
    """

    tail: str
    head: str
    lines: tuple[Line, ...] = ()
    look: str = "edge"
    tail_slot: int | None = None
    head_slot: int | None = None
    back: tuple[Line, ...] = ()


class Entry(NamedTuple):
    """A line of a legend: a sign and what it means.

    Attributes:
        means: What it means, in a few words.
        look: A key of ``theme.LOOKS``, where a box of that look is the sign.
        stroke: A key of ``theme.STROKES``, where an arrow is.
        heat: A key of ``theme.HEATS``, where a box of that colour is.
        sign: The text that is the sign, where neither is.
        tone: The tone of ``sign``.

    Example:
        >>> Entry("a leaf: AccumulateGrad", look="accumulate").sign
        ''
    """

    means: str
    look: str = ""
    stroke: str = ""
    sign: str = ""
    tone: str = "sign"
    heat: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and arrows.

    Attributes:
        boxes: Every box, in the order in which they're written.
        arrows: Every arrow.
        title: Written above the picture; empty for none.
        direction: One of ``DIRECTIONS``.
        classes: What kind of thing each cluster is, such as a module's class, by the clusters on the way to it; those
            that aren't here have nothing written after their names.
        legend: What the signs in it mean.
        summary: What it shows, in one sentence, for those who can't see it.
        note: Written small under the picture; empty for none.

    Example:
        >>> Picture((Box("a", ()), Box("b", ())), (Arrow("a", "b"),)).direction
        'down'
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    title: str = ""
    direction: str = "down"
    classes: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    legend: tuple[Entry, ...] = ()
    summary: str = ""
    note: str = ""


def clean(text: str) -> str:
    r"""Makes a text fit for any writer: what no font can show is written out.

    Args:
        text: Any text.

    Returns:
        The text, in which line breaks of every kind are ``\n``, and other characters that `errors.escaped` knows are
        written as in Python.

    Example:
        >>> print(clean("a\tb\x1b[0m\r\nc"))
        a\tb\x1b[0m
        c
    """
    if text.isprintable():
        return text
    return "\n".join(map(escaped, _BREAK.split(text)))


_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
