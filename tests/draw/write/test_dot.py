"""Pictures as dot text: exact, stable and complete."""

import os
import subprocess
import sys

import pygraphviz
import pytest

from autograd_lab.draw.layout.placing import Placement
from autograd_lab.draw.layout.routes import Route
from autograd_lab.draw.layout.sizes import box_size
from autograd_lab.draw.picture import DIRECTIONS, Arrow, Box, Line, Picture
from autograd_lab.draw.theme import LOOKS, STROKES
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.scalar import DETAILS, scalar_picture
from autograd_lab.draw.write.dot import to_dot


def test_golden_graph(residual, golden):
    golden("residual.dot", to_dot(graph_picture(residual)))


def test_golden_saved(residual, golden):
    golden("residual_saved.dot", to_dot(graph_picture(residual, saved=True, title="residual & <saved>")))


def test_golden_every_kind(every_kind, golden):
    golden("every_kind.dot", to_dot(graph_picture(every_kind, saved=True, direction="right")))


def test_golden_clusters(in_modules, golden):
    golden("modules.dot", to_dot(graph_picture(in_modules)))


def test_golden_expression(product, golden):
    golden("product.dot", to_dot(scalar_picture(product, detail="expression")))


@pytest.mark.parametrize("detail", DETAILS)
def test_golden_seed(seed, golden, detail):
    golden(f"seed_{detail}.dot", to_dot(scalar_picture(seed, detail=detail)))


def stairs(picture: Picture) -> Placement:
    """Each box lower and further right than the one before; each arrow straight."""
    middles = [(50.0 * i, -30.5 * i) for i in range(len(picture.boxes))]
    of_key = {box.key: middle for box, middle in zip(picture.boxes, middles, strict=True)}
    routes = tuple(
        Route((of_key[arrow.tail], of_key[arrow.tail], of_key[arrow.head], of_key[arrow.head]), True)
        for arrow in picture.arrows
    )
    back = tuple(
        Route(route.points[::-1], True) if arrow.back else None
        for arrow, route in zip(picture.arrows, routes, strict=True)
    )
    return Placement(tuple(box_size(box) for box in picture.boxes), tuple(middles), routes, back)


def test_golden_placed(residual, golden):
    picture = graph_picture(residual, legend=False)
    golden("residual_placed.dot", to_dot(picture, stairs(picture)))


SCRIPT = """
import sys
sys.modules["torch"] = None  # it isn't needed, and takes seconds
from autograd_lab import records
from autograd_lab.draw.write.dot import to_dot
from autograd_lab.draw.views.graph import graph_picture
sys.stdout.buffer.write(to_dot(graph_picture(records.loads(sys.stdin.buffer.read().decode()), saved=True)).encode())
"""


def test_text_is_the_same_in_other_processes(residual, repository):
    from autograd_lab import records

    found = set()
    for hash_seed in ("0", "1"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=records.dumps(residual).encode(),
            capture_output=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(repository)},
        )
        found.add(run.stdout.decode())
    assert found == {to_dot(graph_picture(residual, saved=True))}


def read(picture: Picture, placement: Placement | None = None) -> pygraphviz.AGraph:
    return pygraphviz.AGraph(string=to_dot(picture, placement))


def test_graphviz_reads_every_box_and_arrow(residual, every_kind, in_modules):
    for graph in (residual, every_kind, in_modules):
        for direction in DIRECTIONS:
            picture = graph_picture(graph, saved=True, direction=direction, legend=False)
            parsed = read(picture)
            assert sorted(map(str, parsed.nodes())) == sorted(box.key for box in picture.boxes)
            assert sorted((str(a), str(b)) for a, b in parsed.edges()) == sorted(
                (arrow.tail, arrow.head) for arrow in picture.arrows
            )


def arrows(picture: Picture) -> list[str]:
    """Each arrow without its attributes, as written."""
    lines = [line.strip() for line in to_dot(picture).splitlines()]
    return [line.partition(" [")[0].rstrip(";") for line in lines if " -> " in line]


def test_an_arrow_leaves_and_enters_by_its_ports(every_kind, residual):
    assert arrows(graph_picture(every_kind, legend=False)) == [
        "r0 -> n0:i0:n", "r1 -> n0:i1:n", "n0 -> n1", "n1:o0:s -> n2:i1:n", "n2:o1:s -> n3",
    ]  # fmt: skip
    assert {"n1:o0:s -> n2", "n1:o1:s -> n2"} < set(arrows(graph_picture(residual)))


@pytest.mark.parametrize(
    ("direction", "comes_in", "leaves"),
    [("down", "n", "s"), ("up", "s", "n"), ("right", "w", "e"), ("left", "e", "w")],
)
def test_slots_stand_where_arrows_come_in_and_leave(every_kind, direction, comes_in, leaves):
    picture = graph_picture(every_kind, direction=direction, legend=False)
    assert f"n1:o0:{leaves} -> n2:i1:{comes_in}" in arrows(picture)
    # In Graphviz's own coordinates y grows upwards: the gradient must have gone the way that was asked for.
    graph = read(picture)
    graph.layout("dot")
    x0, y0 = map(float, graph.get_node("r0").attr["pos"].split(","))
    x3, y3 = map(float, graph.get_node("n3").attr["pos"].split(","))
    assert {"down": y0 > y3, "up": y0 < y3, "right": x0 < x3, "left": x0 > x3}[direction]


def test_clusters_hold_their_boxes(in_modules):
    parsed = read(graph_picture(in_modules, legend=False))
    (outer,) = parsed.subgraphs()
    assert sorted(map(str, outer.nodes())) == ["n1", "n2", "n3", "n4"]
    inner = {tuple(sorted(map(str, cluster.nodes()))) for cluster in outer.subgraphs()}
    assert inner == {("n1", "n2"), ("n3", "n4")}


def test_a_gradient_on_its_way_back_does_not_turn_the_layout(seed):
    graph = read(scalar_picture(seed, legend=False))
    graph.layout("dot")
    x = {str(node): float(node.attr["pos"].split(",")[0]) for node in graph.nodes()}
    assert x["c4"] < x["v4"] < x["o2"] < x["v2"] < x["o1"] < x["v1"] < x["o0"] < x["v0"]
    back = [edge for edge in graph.edges() if edge.attr["dir"] == "back"]
    assert len(back) == 6
    assert {edge.attr["color"] for edge in back} == {STROKES["backward"].line}


def test_looks_and_strokes_reach_graphviz():
    boxes = tuple(Box(f"n{i}", (Line("x"),), look) for i, look in enumerate(LOOKS))
    arrows = tuple(Arrow("n0", "n1", look=look) for look in STROKES)
    parsed = read(Picture(boxes, arrows))
    usual = parsed.node_attr, parsed.edge_attr
    for box, look in zip(boxes, LOOKS.values(), strict=True):
        node = parsed.get_node(box.key)
        assert (node.attr["fillcolor"] or usual[0]["fillcolor"]) == look.fill
        assert (node.attr["color"] or usual[0]["color"]) == look.line
    colours = sorted(edge.attr["color"] or usual[1]["color"] for edge in parsed.edges())
    assert colours == sorted(stroke.line for stroke in STROKES.values())


def test_positions_are_written_for_every_box_and_clusters_are_not(in_modules):
    picture = graph_picture(in_modules, legend=False)
    placement = stairs(picture)
    parsed = read(picture, placement)
    assert parsed.subgraphs() == []
    places = [parsed.get_node(box.key).attr["pos"] for box in picture.boxes]
    assert places == [f"{x:.1f},{y:.1f}" for x, y in placement.positions]
    with pytest.raises(ValueError, match="shorter"):
        to_dot(picture, placement._replace(positions=placement.positions[1:]))


def test_placed_arrows_that_say_the_same_say_it_once(residual):
    for direction, which in (("down", 1), ("right", 0)):
        picture = graph_picture(residual, direction=direction, legend=False)
        lines = [line for line in to_dot(picture, stairs(picture)).splitlines() if "n1 -> n2 " in line]
        assert ["ĥ" in line for line in lines] == [i == which for i in range(2)]


def test_placed_arrows_back_point_back(seed):
    picture = scalar_picture(seed, legend=False)
    text = to_dot(picture, stairs(picture))
    lines = [line for line in text.splitlines() if "n" not in line.partition(" [")[0] and "o2 -> v4" in line]
    assert len(lines) == 1
    assert "−16" in lines[0]
    assert "dir=back" not in text


def test_a_title_is_written_above():
    parsed = read(Picture((Box("a", ()),), (), title="above"))
    assert (parsed.graph_attr["labelloc"], "above" in parsed.graph_attr["label"]) == ("t", True)
    assert "labelloc" not in to_dot(Picture((Box("a", ()),), ()))
