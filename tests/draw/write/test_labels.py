r"""Any text survives Graphviz: what stands in the SVG is what was asked for.

Each test writes one graph with many boxes, draws it, and reads the texts back.
"""

import re
from xml.etree.ElementTree import Element

from hypothesis import example, given, settings, strategies as st

from autograd_lab.draw.picture import DIRECTIONS, Arrow, Box, Line, Picture, clean
from autograd_lab.draw.theme import FONT, LOOKS, TONES
from autograd_lab.draw.write.dot import to_dot
from autograd_lab.draw.write.labels import box_label

NASTY = [
    '"', "\\", "\\N", "\\\\n", "<b>", "&amp;", "&", "&lt;", "&#60;", "a\\", '\\"', "]]>", "<!--", "'", "{a|b}", "ŷ", "",
    " ", "  two  spaces ", "\t", "\n", "a\nb", "encoder.layers.0", "a b", "漢字", "👍", "%d", "$HOME", "\\l", "\\G",
]  # fmt: skip
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(), max_size=12),
        st.text(st.sampled_from('\\"<>&;#NGEnlr{}| aŷ\n'), max_size=8),
    ),
    min_size=1,
    max_size=15,
)


def expected(text: str) -> list[str]:
    """The lines that must be there. Graphviz draws a line of nothing but blanks as a blank or not at all."""
    return [line for line in clean(text).split("\n") if line.strip()]


def found(lines: list[str]) -> list[str]:
    return [line.replace("\xa0", " ") for line in lines if line.strip()]


@settings(deadline=None, max_examples=60)
@given(TEXTS)
@example(NASTY)
def test_any_text_of_a_box_survives(node_texts, texts):
    boxes = tuple(Box(f"n{i}", (Line("first"), Line(text))) for i, text in enumerate(texts))
    read = node_texts(to_dot(Picture(boxes, ())))
    for box, text in zip(boxes, texts, strict=True):
        assert found(read[box.key]) == ["first", *[line.replace("\xa0", " ") for line in expected(text)]]


XLINK = "{http://www.w3.org/1999/xlink}title"
SVG = "{http://www.w3.org/2000/svg}"


@settings(deadline=None, max_examples=60)
@given(TEXTS)
@example(NASTY)
def test_any_tooltip_survives(svg_of, texts):
    boxes = tuple(Box(f"n{i}", (), tooltip=f"tip {text}.") for i, text in enumerate(texts))
    links = [
        link.get(XLINK, "").replace("\xa0", " ")
        for link in svg_of(to_dot(Picture(boxes, ()))).iter(f"{SVG}a")
    ]
    assert links == [clean(box.tooltip).replace("\xa0", " ") for box in boxes]


def texts_of(group: Element) -> list[str]:
    return found([line.text or "" for line in group.iter(f"{SVG}text")])


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.text(st.sampled_from('\\"<>&;#NGEnlr{}| aŷ'), max_size=8).map("x{}x".format),
        min_size=3,
        max_size=3,
    )
)
@example(["x\\Nx", "x\\Gx", "x<b>&amp;x"])
def test_any_label_of_an_arrow_a_cluster_and_a_picture_survives(svg_of, texts):
    of_arrow, of_cluster, of_picture = texts
    boxes = (Box("a", ()), Box("b", (), group=(of_cluster,)))
    picture = Picture(boxes, (Arrow("a", "b", (Line(of_arrow),)),), of_picture)
    groups = {group.get("class"): group for group in svg_of(to_dot(picture)).iter(f"{SVG}g")}
    assert texts_of(groups["edge"]) == found([of_arrow])
    assert texts_of(groups["cluster"]) == found([of_cluster])
    assert found([line.text for line in groups["graph"].findall(f"{SVG}text")]) == [of_picture]


def test_each_tone_has_its_own_look(svg_of):
    svg = svg_of(to_dot(Picture((Box("n", (Line("b", "title"), Line("q", "quiet"), Line("p"))),), ())))
    bold, quiet, plain = svg.iter(f"{SVG}text")
    assert (bold.get("font-weight"), quiet.get("font-weight")) == ("bold", None)
    assert (quiet.get("fill"), quiet.get("font-size")) == (TONES["quiet"].ink, "9.00")
    assert {line.get("font-family") for line in (bold, quiet, plain)} == {FONT}


def test_text_on_a_dark_ground_keeps_the_box_own_ink(svg_of):
    svg = svg_of(to_dot(Picture((Box("n", (Line("16", "value"),), "output"),), ())))
    assert [line.get("fill") for line in svg.iter(f"{SVG}text")] == [LOOKS["output"].ink]


def test_slots_are_ports_and_nothing_else_is():
    box = Box("n", (Line("name"),), ins=("0", "1"), outs=("0", "–", "2"))
    for direction in DIRECTIONS:
        ports = re.findall('PORT="([^"]*)"', box_label(box, direction))
        assert sorted(ports) == ["i0", "i1", "o0", "o1", "o2"]
    assert "PORT" not in box_label(Box("n", (Line("name"),)), "down")
