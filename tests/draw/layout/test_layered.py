"""The layered layout as a whole, on the shapes that graphs come in."""

import io
import itertools
import json
import os
import random
import subprocess
import sys
from collections import defaultdict

import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from pypdf import PdfReader

from autograd_lab.draw.layout.layered import Layout, layout
from autograd_lab.draw.native import graphviz
from autograd_lab.errors import RenderError

CELL = 64.0


def transformer(blocks: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Makes what autograd builds for a stack of attention blocks: 35 nodes each, residual edges past both halves."""
    names, edges = ["NllLossBackward0"], []

    def node(name: str, *above: int) -> int:
        names.append(name)
        edges.extend((vertex, len(names) - 1) for vertex in above)
        return len(names) - 1

    def leaf(above: int) -> None:
        node("torch::autograd::AccumulateGrad", above)

    def linear(above: int) -> int:
        product = node("AddmmBackward0", above)
        leaf(product)
        leaf(node("TBackward0", product))
        return node("ViewBackward0", product)

    def norm(*above: int) -> int:
        last = node("NativeLayerNormBackward0", *above)
        leaf(last)
        leaf(last)
        return last

    stream = 0
    for _ in range(blocks):
        stream = node("AddBackward0", stream)
        grown = linear(node("GeluBackward0", linear(stream)))
        stream = node("AddBackward0", norm(grown), stream)
        mixed = node("BmmBackward0", linear(node("TransposeBackward0", stream)))
        scores = node("BmmBackward0", node("SoftmaxBackward0", mixed))
        heads = [node("TransposeBackward0", vertex) for vertex in (mixed, scores, scores)]
        stream = node("AddBackward0", norm(*[linear(head) for head in heads]), stream)
    return names, edges


def sizes_of(names: list[str]) -> list[tuple[float, float]]:
    return [(14 + 6.5 * len(name), 30.0) for name in names]


def overlapping(sizes, found: Layout) -> list[tuple[int, int]]:
    """Finds pairs of boxes that overlap, comparing those in neighbouring cells of a grid."""
    cells = defaultdict(list)
    pairs = set()
    for box, ((x, y), (width, height)) in enumerate(zip(found.positions, sizes, strict=True)):
        columns = range(int((x - width / 2) // CELL), int((x + width / 2) // CELL) + 1)
        rows = range(int((y - height / 2) // CELL), int((y + height / 2) // CELL) + 1)
        for cell in itertools.product(columns, rows):
            for other in cells[cell]:
                (other_x, other_y), (other_width, other_height) = found.positions[other], sizes[other]
                beside = abs(x - other_x) - (width + other_width) / 2
                above = abs(y - other_y) - (height + other_height) / 2
                if max(beside, above) < -1e-6:
                    pairs.add((other, box))
            cells[cell].append(box)
    return sorted(pairs)


def upward(edges, found: Layout) -> list[tuple[int, int]]:
    return [(a, b) for a, b in edges if found.positions[a][1] <= found.positions[b][1]]


def outside(sizes, found: Layout) -> list[int]:
    """Finds boxes that the picture's width and height don't hold."""
    return [
        box
        for box, ((x, y), (width, height)) in enumerate(zip(found.positions, sizes, strict=True))
        if not (
            width / 2 - 1e-6 <= x <= found.width - width / 2 + 1e-6
            and height / 2 - 1e-6 <= y <= found.height - height / 2 + 1e-6
        )
    ]


def check(sizes, edges, found: Layout) -> None:
    assert len(found.positions) == len(sizes)
    assert len(found.routes) == len(edges)
    assert overlapping(sizes, found) == []
    assert upward(edges, found) == []
    assert outside(sizes, found) == []


def test_the_check_sees_an_overlap():
    sizes = [(100.0, 20.0), (10.0, 10.0), (100.0, 20.0)]
    assert overlapping(sizes, Layout(((0, 0), (200, 0), (60, 10)), (), 0, 0)) == [(0, 2)]


# --- shapes --------------------------------------------------------------------------


@st.composite
def graphs(draw):
    count = draw(st.integers(0, 12))
    sizes = draw(st.lists(st.tuples(st.floats(1, 300), st.floats(1, 90)), min_size=count, max_size=count))
    ends = st.integers(0, max(count - 1, 0))
    edges = draw(st.lists(st.tuples(ends, ends), max_size=3 * count)) if count else []
    return sizes, [(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]]


@given(graphs(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_any_graph_without_cycles(graph, fold):
    sizes, edges = graph
    found = layout(sizes, edges, fold=fold)
    if fold:
        assert overlapping(sizes, found) == []
        assert outside(sizes, found) == []
    else:
        check(sizes, edges, found)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30))
@settings(deadline=None, max_examples=30)
def test_cycles_do_no_harm(edges):
    sizes = [(40.0, 20.0)] * 8
    found = layout(sizes, edges)
    assert overlapping(sizes, found) == []
    assert [bool(route.points) for route in found.routes] == [a != b for a, b in edges]


@pytest.mark.parametrize("count", [10_000, pytest.param(70_000, marks=pytest.mark.sweep)])
def test_a_long_chain(count):
    sizes = [(100.0, 30.0)] * count
    edges = [(i, i + 1) for i in range(count - 1)]
    check(sizes, edges, layout(sizes, edges))


@pytest.mark.parametrize("count", [8_000, pytest.param(40_000, marks=pytest.mark.sweep)])
def test_a_chain_with_skips_deeper_than_any_stack(count):
    # Every layer holds more than one vertex here, so that fast-sugiyama really gets it.
    sizes = [(100.0, 30.0)] * count
    edges = [(i, i + 1) for i in range(count - 1)] + [(i, i + 3) for i in range(0, count - 3, 2)]
    check(sizes, edges, layout(sizes, edges))


def test_a_fan_of_3_000_in():
    sizes = [(60.0 + leaf % 50, 20.0) for leaf in range(3_001)]
    edges = [(leaf, 0) for leaf in range(1, 3_001)]
    found = layout(sizes, edges)
    check(sizes, edges, found)
    assert len({y for _, y in found.positions}) == 2


def test_a_fan_of_3_000_leaves_is_a_block():
    sizes = [(60.0 + leaf % 50, 20.0) for leaf in range(3_001)]
    edges = [(0, leaf) for leaf in range(1, 3_001)]
    found = layout(sizes, edges)
    check(sizes, edges, found)
    assert 0.5 < found.width / found.height < 4
    rows = defaultdict(list)
    for x, y in found.positions[1:]:
        rows[y].append(x)
    assert all(row == sorted(row) for row in rows.values())
    # What the leaves hang from stands above the middle of each row but the last.
    middles = [(min(row) + max(row)) / 2 for row in list(rows.values())[:-1]]
    assert max(middles) - min(middles) < 0.1 * found.width
    assert abs(found.positions[0][0] - found.width / 2) < 0.1 * found.width


def test_pieces_and_lonely_boxes_fill_a_page():
    sizes = [(80.0, 30.0)] * 3_000
    edges = [(3 * i, 3 * i + 1) for i in range(500)] + [(3 * i, 3 * i + 2) for i in range(500)]
    found = layout(sizes, edges)
    check(sizes, edges, found)
    assert 0.7 < found.width / found.height < 2


def test_several_roots_stand_near_what_they_lead_to():
    # One loss for each time step of a recurrent network.
    steps = 1_500
    sizes = [(80.0, 30.0)] * (2 * steps)
    edges = [(i, i + 1) for i in range(steps - 1)] + [(steps + i, i) for i in range(steps)]
    found = layout(sizes, edges)
    check(sizes, edges, found)
    assert found.width < 400


def test_a_weight_used_at_every_step():
    steps = 1_000
    sizes = [(80.0, 30.0)] * (2 * steps + 1)
    chain = [(i, i + 1) for i in range(steps - 1)]
    used = [(i, steps + i) for i in range(steps)] + [(steps + i, 2 * steps) for i in range(steps)]
    found = layout(sizes, chain + used)
    check(sizes, chain + used, found)
    assert found.width < 600
    text = "".join(route.pos() for route in found.routes)
    assert len(text) < 250 * len(found.routes)


def test_a_tangle_ends():
    rng = random.Random(0)
    edges = [(i, min(2_999, i + rng.randint(1, 30))) for i in range(2_999) for _ in range(3)]
    sizes = [(80.0, 30.0)] * 3_000
    check(sizes, edges, layout(sizes, edges))


def test_wide_layers_end():
    width = 1_500
    rng = random.Random(0)
    edges = [(i, (i // width + 1) * width + rng.randrange(width)) for i in range(2 * width) for _ in range(2)]
    sizes = [(80.0, 30.0)] * (3 * width)
    found = layout(sizes, edges)
    check(sizes, edges, found)


def test_a_transformer_is_narrow_and_its_trunk_is_straight():
    names, edges = transformer(20)
    sizes = sizes_of(names)
    found = layout(sizes, edges)
    check(sizes, edges, found)
    assert found.width < 2_200
    stream = [found.positions[i][0] for i, name in enumerate(names) if name == "AddBackward0"]
    assert sum(abs(a - b) > 1 for a, b in itertools.pairwise(stream)) <= len(stream) // 3


# --- determinism ---------------------------------------------------------------------


def test_the_same_in_every_process():
    names, edges = transformer(3)
    code = (
        "import hashlib, json, sys\n"
        "from autograd_lab.draw.layout.layered import layout\n"
        "sizes, edges = json.load(sys.stdin)\n"
        "found = layout(sizes, [tuple(edge) for edge in edges], fold=True)\n"
        "print(hashlib.sha256(repr(found).encode()).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps([sizes_of(names), edges]),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "77")
    }
    assert len(printed) == 1


# --- options -------------------------------------------------------------------------


def test_edges_lead_down():
    names, edges = transformer(2)
    sizes = sizes_of(names)
    found = layout(sizes, edges)
    assert overlapping(sizes, found) == []
    assert outside(sizes, found) == []
    for (a, b), route in zip(edges, found.routes, strict=True):
        assert found.positions[b][1] < found.positions[a][1]
        # The curve leaves and arrives upright to the boxes' sides.
        (x, y), (near_x, near_y) = route.points[:2]
        assert abs(near_x - x) < 1e-6
        assert near_y < y


def test_folding_makes_a_deep_graph_compact():
    names, edges = transformer(40)
    sizes = sizes_of(names)
    tall, folded = layout(sizes, edges), layout(sizes, edges, fold=True)
    assert tall.height > 10 * tall.width
    assert 0.8 < folded.width / folded.height < 2.2
    assert overlapping(sizes, folded) == []
    assert outside(sizes, folded) == []
    # Few edges lead from one band to the next; all others lead down.
    assert 0 < len(upward(edges, folded)) < 60


def test_a_wide_graph_is_not_folded():
    sizes, edges = [(60.0, 20.0)] * 51, [(0, leaf) for leaf in range(1, 51)]
    assert layout(sizes, edges, fold=True) == layout(sizes, edges)


def test_a_vertex_that_there_is_not():
    with pytest.raises(ValueError, match="outside"):
        layout([(10.0, 10.0)], [(0, 1)])


def test_nothing():
    assert layout([], []) == Layout((), (), 0.0, 0.0)


def test_without_fast_sugiyama_the_error_says_what_to_install(monkeypatch, tmp_path):
    (tmp_path / "fast_sugiyama.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'fast_sugiyama'\")"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RenderError, match="pip install fast-sugiyama"):
        layout([(10.0, 10.0)] * 3, [(0, 1), (0, 2)])


# --- ten thousand nodes, drawn -------------------------------------------------------


@pytest.fixture(scope="module")
def big():
    """A picture of 10,000 nodes as text."""
    names, edges = transformer(286)
    assert len(names) > 10_000
    found = layout(sizes_of(names), edges, fold=True)
    nodes = "".join(
        f'n{i} [label="{name}", pos="{x:.1f},{y:.1f}", shape=box, fontname="DejaVu Sans", fontsize=10];\n'
        for i, (name, (x, y)) in enumerate(zip(names, found.positions, strict=True))
    )
    lines = "".join(
        f"n{a} -> n{b} [pos={route.pos()}, arrowsize=0.6];\n"
        for (a, b), route in zip(edges, found.routes, strict=True)
    )
    return f"digraph {{\n{nodes}{lines}}}\n", len(names), len(edges)


def test_ten_thousand_nodes_as_svg(big):
    text, nodes, edges = big
    svg = graphviz.run(text, "svg", pinned=True).decode()
    assert svg.count('class="node"') == nodes
    assert svg.count('class="edge"') == edges
    assert svg.count(">NativeLayerNormBackward0</text>") == 2 * 286


@pytest.mark.sweep
def test_ten_thousand_nodes_as_png(big):
    picture = Image.open(io.BytesIO(graphviz.run(big[0], "png", pinned=True)))
    assert max(picture.size) <= 32_767
    assert 50_000_000 < picture.width * picture.height < 65_000_000


@pytest.mark.sweep
def test_ten_thousand_nodes_as_pdf(big):
    (page,) = PdfReader(io.BytesIO(graphviz.run(big[0], "pdf", pinned=True))).pages
    assert max(page.mediabox.width, page.mediabox.height) <= 14_400
