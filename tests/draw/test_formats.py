"""Every format that's listed works, and an unknown one gets one line."""

import io
import xml.etree.ElementTree as ElementTree

import pypdf
import pytest
from PIL import Image

from autograd_lab import records
from autograd_lab.draw import FORMATS, draw, format_of, images
from autograd_lab.draw.native.isolated import OutOfTimeError
from autograd_lab.draw.tables.graph import graph_table, scalar_table
from autograd_lab.draw.views.graph import MOST_SLOTS, graph_picture
from autograd_lab.draw.views.scalar import scalar_picture
from autograd_lab.draw.write.dot import to_dot
from autograd_lab.draw.write.mermaid import to_mermaid
from autograd_lab.errors import RenderError
from autograd_lab.records import Edge, Graph, Node, ScalarGraph, TensorMeta, Trace

LAST = 2**64 - 1
"""The ``sequence_nr`` of leaves."""


def chain(length: int) -> Graph:
    """A chain with a leaf at each node."""
    nodes = []
    for index in range(0, length - 1, 2):
        more = (Edge(index + 2, 0),) if index + 2 < length else ()
        nodes.append(Node(index, f"Op{index}", "op", length - index, next=(*more, Edge(index + 1, 0))))
        nodes.append(Node(index + 1, "AccumulateGrad", "accumulate", LAST, variable=f"w{index}"))
    return Graph(tuple(nodes), (Edge(0, 0),))


def svg_texts(svg: str) -> list[str]:
    return [text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


OF_GRAPHS = ["model-explorer", "node-data"]
"""Not of scalars: see test_modelexplorer.py."""

NAMES = "dot, svg, png, pdf, html, txt, md, json, perfetto"
"""As they are listed before those."""


def test_the_list_of_formats():
    assert list(FORMATS) == ["dot", "svg", "png", "pdf", "html", "txt", "md", "json", "perfetto", *OF_GRAPHS]


OF_ANY_RECORD = [name for name in FORMATS if name not in ("perfetto", *OF_GRAPHS)]
"""A time line is of traces only: see test_perfetto.py."""


@pytest.mark.parametrize("name", OF_GRAPHS)
def test_a_format_of_graphs_says_so_of_scalars(seed, name):
    with pytest.raises(RenderError) as caught:
        draw(seed, name)
    assert str(caught.value) == (
        f"format {name!r} is of a Graph or a Trace, or a list of traces, not of a ScalarGraph"
    )


@pytest.mark.parametrize("name", OF_ANY_RECORD)
def test_every_format_draws_every_record(residual, seed, name):
    for record in (residual, seed, Graph((), ()), ScalarGraph((), ())):
        assert len(draw(record, name)) > 0


def test_text_formats_are_those_of_the_writers(residual, seed):
    assert draw(residual, "dot", saved=True) == to_dot(graph_picture(residual, saved=True))
    assert draw(seed, "md", detail="values") == to_mermaid(scalar_picture(seed, detail="values"))
    assert draw(residual, "txt", width=80) == graph_table(residual, width=80)
    assert draw(seed, "txt") == scalar_table(seed)
    assert records.loads(draw(residual, "json")) == residual


def test_svg_holds_the_text(residual):
    svg = draw(residual, "svg", title="a title")
    assert isinstance(svg, str)
    assert {"a title", "MulBackward0", "fc.weight", "also head.weight", "ĥ", "f32[4,4]", "loss"} <= set(
        svg_texts(svg)
    )


def test_png_is_a_picture_of_the_resolution_asked_for(residual):
    small, large = (Image.open(io.BytesIO(draw(residual, "png", dpi=dpi))) for dpi in (50, 100))
    assert small.format == "PNG"
    assert large.width == pytest.approx(2 * small.width, abs=4)


def test_png_has_the_looks_colours(residual):
    from autograd_lab.draw.theme import LOOKS

    pixels = Image.open(io.BytesIO(draw(residual, "png"))).convert("RGB")
    colours = {colour for _, colour in pixels.getcolors(1 << 24)}
    for look in ("op", "accumulate", "root"):
        fill = LOOKS[look].fill
        assert tuple(int(fill[i : i + 2], 16) for i in (1, 3, 5)) in colours


def test_pdf_holds_the_text(residual):
    text = pypdf.PdfReader(io.BytesIO(draw(residual, "pdf"))).pages[0].extract_text()
    assert "MulBackward0" in text
    assert "fc.weight" in text


@pytest.mark.parametrize("direction", ["down", "right"])
def test_a_big_picture_is_placed_and_whole(direction):
    graph = chain(1_600)
    svg = draw(graph, "svg", direction=direction)
    texts = svg_texts(svg)
    assert sorted(text for text in texts if text.startswith("Op")) == sorted(
        f"Op{i}" for i in range(0, 1_600, 2)
    )
    in_legend = sum(bool(entry.stroke) for entry in graph_picture(graph).legend)
    assert svg.count('class="edge"') == len(graph.edges) + 1 + in_legend


@pytest.fixture
def asked(monkeypatch):
    """What Graphviz is asked for: whether boxes have their places already, and for how long."""
    from autograd_lab.draw.native import graphviz

    calls = []

    def lay_out(text, *, limit):
        assert "pos=" not in text
        calls.append(("laid out by dot", limit))
        raise OutOfTimeError

    def run(text, kind, *, dpi, pinned, extent):
        assert pinned
        assert "pos=" in text
        calls.append(("drawn", None))
        return b""

    monkeypatch.setattr(graphviz, "lay_out", lay_out)
    monkeypatch.setattr(graphviz, "run", run)
    return calls


BY_DOT = ("laid out by dot", images.SECONDS_FOR_DOT)
DRAWN = ("drawn", None)


def test_a_small_picture_is_laid_out_by_dot_and_a_big_one_is_not(asked):
    for boxes in (images.MOST_FOR_DOT, images.MOST_FOR_DOT + 1):
        nodes = tuple(Node(i, "X", "op", 0) for i in range(boxes))
        draw(Graph(nodes, ()), "svg")
    assert asked == [BY_DOT, DRAWN, DRAWN]


def unrolled(steps: int) -> Graph:
    """Makes what a recurrent network leaves: a chain in which each step uses the same weights."""
    weights = [
        Node(
            steps + i,
            "AccumulateGrad",
            "accumulate",
            LAST,
            (TensorMeta((1,), "float32", "cpu"),),
            variable=name,
        )
        for i, name in enumerate(("w_ih", "w_hh", "b_ih", "b_hh"))
    ]
    ends = tuple(Edge(leaf.id, 0) for leaf in weights)
    chain = [
        Node(i, "AddmmBackward0", "op", steps - i, next=(*ends, Edge(i + 1, 0) if i + 1 < steps else None))
        for i in range(steps)
    ]
    return Graph((*chain, *weights), (Edge(0, 0),))


def test_weights_that_are_used_at_many_steps_go_to_the_layered_layout_at_once(asked):
    draw(unrolled(20), "svg")
    draw(unrolled(200), "svg")
    assert asked == [BY_DOT, DRAWN, DRAWN]


def test_a_wide_fan_goes_to_the_layered_layout_and_has_no_number_at_each_slot(asked):
    def fan(leaves: int) -> Graph:
        cat = Node(0, "CatBackward0", "op", 1, next=tuple(Edge(i + 1, 0) for i in range(leaves)))
        return Graph(
            (
                cat,
                *(Node(i + 1, "AccumulateGrad", "accumulate", LAST, variable=f"w{i}") for i in range(leaves)),
            ),
            (),
        )

    draw(fan(images.MOST_LEAVES_FOR_DOT), "svg")
    draw(fan(images.MOST_LEAVES_FOR_DOT + 1), "svg")
    assert asked == [BY_DOT, DRAWN, DRAWN]
    few, many = (graph_picture(fan(leaves)).boxes[0] for leaves in (MOST_SLOTS, MOST_SLOTS + 1))
    assert (len(few.outs), len(many.outs)) == (MOST_SLOTS, 0)
    assert many.lines[-1].text == f"{MOST_SLOTS + 1} slots"


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_what_dot_cannot_lay_out_in_time_is_laid_out_otherwise(monkeypatch, residual, kind):
    """Dot answers in less than the time that any process takes to start, so this is its limit and no other."""
    whole = draw(residual, kind)
    monkeypatch.setattr(images, "SECONDS_FOR_DOT", 0.001)
    found = draw(residual, kind)
    assert found != whole
    if kind == "svg":
        assert set(svg_texts(found)) == set(svg_texts(whole))


def test_an_unknown_format_lists_those_that_work():
    with pytest.raises(RenderError) as caught:
        draw(Graph((), ()), "pgn")
    assert str(caught.value) == (
        f"unknown format 'pgn': use one of {NAMES}, model-explorer, node-data (did you mean 'png'?)"
    )


def test_a_wrong_option_is_an_error_in_every_format(residual):
    for name in OF_ANY_RECORD:
        with pytest.raises(RenderError, match=r"^view 'graph' has no option 'detail'"):
            draw(residual, name, detail="values")
    with pytest.raises(RenderError, match=r"^view 'trace' has no option 'detail'"):
        draw(Trace(residual, ()), "perfetto", detail="values")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("a.svg", "svg"), ("b/c.d/e.PNG", "png"), ("x.tar.md", "md"), (".hidden.json", "json")],
)
def test_the_ending_says_the_format(path, wanted):
    assert format_of(path) == wanted


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "graph",
            f"no format given for 'graph': end the path in .{NAMES.replace(', ', ', .')}, .me.json, .nd.json",
        ),
        ("graph.jpg", f"unknown format 'jpg': use one of {NAMES}, me.json, nd.json (did you mean 'png'?)"),
        ("graph.sgv", f"unknown format 'sgv': use one of {NAMES}, me.json, nd.json (did you mean 'svg'?)"),
    ],
)
def test_an_ending_that_says_no_format(path, message):
    with pytest.raises(RenderError) as caught:
        format_of(path)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("svg", {"language": "zh"}, "format 'svg' takes no language: a page, html, does"),
        ("html", {"language": "fr"}, "no language 'fr': use one of en, zh"),
        ("html", {"depth": 1}, "format 'html' takes no depth: one chooses that in the page"),
        ("html", {"view": "norms"}, "view 'norms' makes no html: use svg, png or pdf"),
    ],
)
def test_what_a_page_does_not_take(kind, options, says):
    with pytest.raises(RenderError) as caught:
        draw(Trace(Graph((), ()), ()), kind, **options)
    assert str(caught.value) == says


def test_a_page_holds_several_traces_and_a_title():
    page = draw([Trace(Graph((), ()), ())] * 2, "html", title="two of them", language="zh")
    assert "<title>two of them</title>" in page
    assert '"language":"zh"' in page


@pytest.mark.parametrize("path", [b"a.svg", "a\0.svg", None, 3])
def test_what_is_no_path_has_no_ending(path):
    with pytest.raises(RenderError, match=r"^cannot draw into a file: a path (must|can't) .*$"):
        format_of(path)
