"""What the signs in a picture mean: an entry for each that occurs in it, and none for others.

Relies on ``picture`` and ``theme``, which says what each look and stroke stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from autograd_lab.draw.picture import Arrow, Box, Entry
from autograd_lab.draw.plan.heat import Heat
from autograd_lab.draw.scales import FADED
from autograd_lab.draw.theme import LOOKS, STROKES

_PLAIN = ("answer", "root")
"""Kinds of boxes without an outline, and of arrows, that say themselves what they are."""

HOW = {
    "stole": ".grad is the very tensor that came",
    "copied": ".grad is a copy of what came",
    "stole or copied": ".grad is what came, or a copy",
    "added": "added to what .grad held",
    "replaced": ".grad is a new sum of both",
}
"""What happened at a leaf → what that means."""

_GRAD = re.compile(rf"‖\.grad‖ = .* \(({'|'.join(HOW)})\)$")
_RUN = re.compile(r" × \d+$")


def legend(boxes: Iterable[Box], arrows: Iterable[Arrow], warm: Heat | None = None) -> tuple[Entry, ...]:
    """Explains the signs in a picture.

    Args:
        boxes: Its boxes.
        arrows: Its arrows.
        warm: What the boxes are coloured by.

    Returns:
        An entry for each kind of box, then of arrow, then for each sign that is text.

    Example:
        >>> from autograd_lab.draw.picture import Line
        >>> legend([Box("n0", (Line("ExpBackward0", "title"),))], [])
        (Entry(means="an operation's node", look='op', stroke='', sign='', tone='sign', heat=''),)
    """
    boxes, arrows = list(boxes), list(arrows)
    looks = {box.look for box in boxes}
    strokes = {arrow.look for arrow in arrows} | {"backward" for arrow in arrows if arrow.back}
    return (
        *(Entry(look.means, look=name) for name, look in LOOKS.items() if name in looks and name != "answer"),
        *(
            Entry(stroke.means, stroke=name)
            for name, stroke in STROKES.items()
            if name in strokes - set(_PLAIN)
        ),
        *_inside(boxes),
        *_beside(arrows),
        *_surroundings(boxes),
        *_scale(warm),
    )


def _inside(boxes: list[Box]) -> Iterator[Entry]:
    """The signs in boxes."""
    lines = [line for box in boxes for line in box.lines]
    none_wanted = any("–" in box.outs for box in boxes)
    if any(box.ins or box.outs for box in boxes):
        means = "slots, one for each gradient" + ("; –: none is wanted" if none_wanted else "")
        yield Entry(means, sign="0 1 –" if none_wanted else "0 1 2")
    if any(_RUN.search(text) for box in boxes for text in (*box.group, *_titles(box))):
        yield Entry("modules alike, of which one is drawn", sign="… × 2")
    if any(line.tone == "value" for line in lines):
        yield Entry("a value", sign="2", tone="name sign")
    found = dict.fromkeys(match[1] for line in lines if (match := _GRAD.match(line.text)))
    yield from (Entry(HOW[how], sign=f"({how})", tone="gradient sign") for how in found)
    if any(line.text.startswith("↪ ") for line in lines):
        yield Entry("a hook", sign="↪")
    if any("• storage " in line.text for line in lines):
        yield Entry("the memory that tensors share", sign="• storage 1")


def _beside(arrows: list[Arrow]) -> Iterator[Entry]:
    """The signs beside arrows."""
    tones = {line.tone for arrow in arrows for line in arrow.lines}
    if "local" in tones:
        yield Entry("a local gradient", sign="∂a/∂b")
    if "gradient" in tones:
        yield Entry("a gradient's norm", sign="0.5", tone="gradient sign")
    if any(arrow.back for arrow in arrows):
        yield Entry("a gradient", sign="−8", tone="gradient sign")


def _surroundings(boxes: list[Box]) -> Iterator[Entry]:
    if any(box.heat == FADED for box in boxes):
        yield Entry("around the module that is drawn", heat=FADED)


def _scale(warm: Heat | None) -> Iterator[Entry]:
    """Which colour stands for which values."""
    if warm is not None:
        yield Entry(warm.what, sign="colour")
        yield from (Entry(values, heat=step) for step, values in warm.scale)


def _titles(box: Box) -> Iterator[str]:
    return (line.text for line in box.lines if line.tone == "title" and box.look == "module")
