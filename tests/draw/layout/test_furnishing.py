"""Where titles and legends stand."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree

import pytest

from autograd_lab.draw.images import image
from autograd_lab.draw.layout.furnishing import KEY_GAP, ROW, furnished
from autograd_lab.draw.layout.placing import placed
from autograd_lab.draw.layout.sizes import lines_size
from autograd_lab.draw.layout.space import Rect, pieces
from autograd_lab.draw.picture import Arrow, Box, Entry, Line, Picture

LEGEND = (
    Entry("an operation's node", look="op"),
    Entry("an edge", stroke="edge"),
    Entry("the slots", sign="0 1 –"),
)


def picture(*arrows: str, boxes: str = "abcdefgh", **more: object) -> Picture:
    made = tuple(Box(key, (Line(f"{key}Backward0"), Line("f32[2,3]"))) for key in boxes)
    return Picture(made, tuple(Arrow(tail, head) for tail, head in arrows), legend=LEGEND, **more)


DEEP = picture("ab", "bc", "cd", "de", "ef", "fg", "gh")
BENT = picture("ab", "bc", "cd", "de", "af", "ag", "ah")
WIDE = picture(*(f"a{other}" for other in "bcdefgh"))


@pytest.mark.parametrize("drawn", [DEEP, BENT, WIDE, picture(boxes="a"), picture(boxes="")])
@pytest.mark.parametrize("title", ["", "Backward 3 of loss", "a very long title of many words " * 9])
def test_neither_touches_anything(drawn, title):
    drawn = dataclasses.replace(drawn, title=title)
    placement = furnished(drawn, placed(drawn))
    found = placement.furniture
    rects = [*placement.box_rects(), *(piece for route in placement.routes for piece in pieces(route))]
    own = []
    for entry, (left, middle) in zip(drawn.legend, found.legend, strict=True):
        width = found.key + lines_size((Line(entry.means, "legend"),))[0]
        own.append(Rect(left, middle - ROW / 2 + 0.1, left + width, middle + ROW / 2 - 0.1))
    x, y = found.above
    for text in found.title:
        width, height = lines_size((Line(text, "caption"),))
        own.append(Rect(x, y - height, x + width, y - 0.1))
        y -= height
    assert " ".join(found.title).split() == title.split()
    everything = [*rects, *own]
    for one in own:
        assert not any(one.meets(other) for other in everything if other is not one)
    assert found.key > KEY_GAP


def test_a_legend_takes_an_empty_corner_where_there_is_one():
    for drawn, inside in ((BENT, True), (DEEP, False)):
        placement = placed(drawn)
        lowest = min(rect.bottom for rect in placement.box_rects())
        legend = furnished(drawn, placement).furniture.legend
        assert (min(y for _, y in legend) > lowest) == inside


@pytest.mark.parametrize("direction", ["down", "right"])
def test_they_are_drawn(direction):
    drawn = picture("ab", "bc", title="Backward 3 of <loss>", direction=direction)
    svg = image(drawn, "svg").decode()
    texts = [each.text for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"Backward 3 of <loss>", "an operation's node", "an edge", "the slots", "0 1 –"} <= set(texts)


@pytest.mark.parametrize("sign", ["colour", "(stole or copied)", "∂a/∂b", "… × 2"])
def test_a_sign_keeps_its_distance_from_its_words_in_a_browser_too(sign):
    """Which draws 8 points of bold text up to 13 % wider than DejaVu's table says."""
    drawn = dataclasses.replace(picture("ab"), legend=(Entry("what it means", sign=sign),))
    width = lines_size((Line(sign, "sign"),))[0]
    assert furnished(drawn, placed(drawn)).furniture.key >= 1.13 * width + KEY_GAP
