"""Pictures as Mermaid text: exact, complete, and any text survives.

What Mermaid makes of the golden documents was looked at once with Mermaid 11.17.2's own parser; there's none here.
"""

import html
import re

from hypothesis import example, given, strategies as st

from autograd_lab.draw.picture import Arrow, Box, Line, Picture, clean
from autograd_lab.draw.theme import LOOKS, STROKES
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.scalar import scalar_picture
from autograd_lab.draw.write.mermaid import MOST_ARROWS, to_mermaid


def test_golden_graph(residual, golden):
    golden(
        "residual_saved.md", to_mermaid(graph_picture(residual, saved=True, title="residual & <saved> *1*"))
    )


def test_golden_every_kind(every_kind, golden):
    golden("every_kind.md", to_mermaid(graph_picture(every_kind, saved=True, direction="right")))


def test_golden_clusters(in_modules, golden):
    golden("modules.md", to_mermaid(graph_picture(in_modules)))


def test_golden_seed(seed, golden):
    golden("seed_gradients.md", to_mermaid(scalar_picture(seed)))


def shown(label: str) -> str:
    """What a reader sees of a label: Mermaid reads ``#35;``, then a browser reads HTML."""
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", label)).replace("<br/>", "\n")


@given(st.text(st.characters(), max_size=20))
@example("1. one")
@example("- dash")
@example("10. ")
@example("`code` **bold** #35; &amp; \\n |x| {y} ; %% $z$ @ ~")
def test_any_text_survives(text):
    document = to_mermaid(Picture((Box("a", (Line(text),)), Box("b", ())), (Arrow("a", "b", (Line(text),)),)))
    (of_box,) = re.findall(r'^  a\("(.*)"\):::lab_op$', document, re.MULTILINE)
    assert shown(of_box) == (clean(text) or " ")
    (of_arrow,) = re.findall(r'^  a -->\|"(.*)"\| b$', document, re.MULTILINE)
    assert shown(of_arrow) == (clean(text) or " ")
    for label in (of_box, of_arrow):
        outside = re.sub(r"#\d+;|<br/>", "", label)
        assert set(outside).isdisjoint('"#;<>&`|{}\\*%$@~^'), label
        assert not re.match(r"\d+\.\s|-\s", label)


def test_every_box_and_every_arrow_is_written(residual, every_kind, in_modules):
    for graph in (residual, every_kind, in_modules):
        picture = graph_picture(graph, saved=True, legend=False)
        text = to_mermaid(picture)
        boxes = re.findall(r"^ +(\w+)\W.*:::lab_(\w+)$", text, re.MULTILINE)
        assert sorted(boxes) == sorted((box.key, box.look) for box in picture.boxes)
        arrows = re.findall(r'^  (\w+) -[-.]+[->](?:\|".*"\|)? (\w+)$', text, re.MULTILINE)
        assert arrows == [(arrow.tail, arrow.head) for arrow in picture.arrows]


def test_slots_stand_on_the_arrows(every_kind, residual):
    text = to_mermaid(graph_picture(every_kind))
    assert '  n1 -->|"0→1"| n2\n' in text
    assert '  r1 -->|"→1"| n0\n' in text
    assert '  n1 -->|"1<br/><b>ĥ</b>"| n2\n' in to_mermaid(graph_picture(residual))


def test_a_gradient_on_its_way_back_points_against_the_arrow(seed):
    for direction, mark in (("right", "←"), ("left", "→"), ("down", "↑"), ("up", "↓")):
        text = to_mermaid(scalar_picture(seed, direction=direction, legend=False))
        assert f'  v4 -->|"∂ŷ/∂w = 2<br/><b>{mark} −16</b>"| o2\n' in text


def test_every_look_and_stroke_has_a_style():
    boxes = tuple(Box(f"n{i}", (Line("x"),), look) for i, look in enumerate(LOOKS))
    text = to_mermaid(Picture(boxes, tuple(Arrow("n0", "n1", look=look) for look in STROKES)))
    for name, look in LOOKS.items():
        assert f"classDef lab_{name} fill:{look.fill},stroke:{look.line},color:{look.ink}," in text
    for index, stroke in enumerate(STROKES.values()):
        assert f"linkStyle {index} stroke:{stroke.line},stroke-width:{stroke.width:g}px" in text


def test_clusters_are_subgraphs_inside_each_other(in_modules):
    text = to_mermaid(graph_picture(in_modules, legend=False))
    assert re.findall(r'^( *)subgraph (\w+)\["(.*)"\]$', text, re.MULTILINE) == [
        ("  ", "cluster_1", "net.blocks"),
        ("    ", "cluster_2", "1"),
        ("      ", "cluster_3", "fc"),
        ("    ", "cluster_4", "0.fc"),
    ]
    assert len(re.findall(r"^ *end$", text, re.MULTILINE)) == 4


def test_a_chart_that_mermaid_refuses_says_so():
    def chain(length: int) -> Picture:
        return Picture((Box("a", ()), Box("b", ())), (Arrow("a", "b"),) * length)

    assert to_mermaid(chain(MOST_ARROWS)).startswith("```mermaid\n")
    assert to_mermaid(chain(MOST_ARROWS + 1)).startswith(f"This chart has {MOST_ARROWS + 1} arrows")
    long = to_mermaid(Picture((Box("a", (Line("x" * 50_001),)),), ()))
    assert "maxTextSize" in long.partition("```")[0]


def test_a_title_is_a_heading():
    assert to_mermaid(Picture((), (), "a_b <c>\n# d")).startswith("# a\\_b \\<c\\> \\# d\n\n```mermaid\n")
