"""What the forward left on the nodes, drawn."""

import pytest

from autograd_lab.draw import draw
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.saved import SavedView
from autograd_lab.draw.words import value
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, Node, Saved, TensorMeta

META = TensorMeta((2, 3), "float32", "cpu")


def view_of(*saved: Saved) -> tuple[SavedView, Node]:
    node = Node(4, "XBackward0", "op", 0, saved=saved)
    return SavedView(Graph((node,), ())), node


def texts(lines) -> list[str]:
    return [line.text for line in lines]


def test_nothing_saved_is_drawn_unless_asked_for(residual):
    assert {box.key[0] for box in graph_picture(residual).boxes} == {"n", "r"}
    assert "alpha = 1" not in [line.text for box in graph_picture(residual).boxes for line in box.lines]


def test_saved_tensors_hang_on_their_node(residual):
    picture = graph_picture(residual, saved=True)
    assert {box.key for box in picture.boxes if box.look == "saved"} == {"s1_0", "s3_0"}
    assert [(arrow.tail, arrow.head) for arrow in picture.arrows if arrow.look == "saved"] == [
        ("n1", "s1_0"),
        ("n3", "s3_0"),
    ]


def test_a_saved_tensor_shows_its_shape_and_which_variable_it_is():
    view, node = view_of(
        Saved("self", META, nbytes=24, storage=0), Saved("other", META, storage=1, variable="w")
    )
    (box,) = view.boxes(node, ("m",))
    assert texts(box.lines) == ["saved", "self f32[2,3]", "other f32[2,3] = w"]
    assert (box.key, box.group, box.look) == ("s4_0", ("m",), "saved")


def test_a_view_says_of_what_and_whose_memory_it_is():
    view, node = view_of(
        Saved("self", META, nbytes=24, storage=0, variable="w", view="view", owner="parameter"),
        Saved("mat2", META, nbytes=24, storage=1, variable="mean", view="transposed", owner="buffer"),
    )
    (box,) = view.boxes(node, ())
    assert texts(box.lines)[1:] == ["self f32[2,3] = w, view", "mat2 f32[2,3] = mean, transposed"]
    assert box.tooltip == "self, 24 B of a parameter, on cpu\nmat2, 24 B of a buffer, on cpu"


def test_tensors_that_share_memory_carry_the_same_tag(residual):
    picture = graph_picture(residual, saved=True)
    lines = {box.key: texts(box.lines)[1:] for box in picture.boxes if box.look == "saved"}
    assert lines["s1_0"] == ["other f32[5,4] = ĥ • storage 0", "self f32[5,4] = ĥ • storage 0"]
    assert lines["s3_0"] == ["mat1 f32[5,4] = x", "mat2 f32[4,4] = fc.weight, transposed"]


def test_tensors_of_different_nodes_can_share_memory():
    nodes = tuple(Node(i, "XBackward0", "op", 0, saved=(Saved("result", META, storage=7),)) for i in (0, 1))
    view = SavedView(Graph(nodes, ()))
    assert [texts(view.boxes(node, ())[0].lines)[1] for node in nodes] == ["result f32[2,3] • storage 7"] * 2


def test_released_and_packed_tensors_stand_in_boxes_of_their_own():
    view, node = view_of(
        Saved("a", released=True),
        Saved("b", META),
        Saved("c", packed="load"),
        Saved("d", packed="unzip"),
        Saved("e", released=True),
    )
    boxes = view.boxes(node, ())
    assert [(box.key, box.look, texts(box.lines)) for box in boxes] == [
        ("s4_0", "released", ["released", "a", "e"]),
        ("s4_1", "saved", ["saved", "b f32[2,3]"]),
        ("s4_2", "packed", ["packed by load", "c"]),
        ("s4_3", "packed", ["packed by unzip", "d"]),
    ]
    assert view.lines(node) == ()


def test_values_that_are_no_tensors_stand_in_the_nodes_own_box(every_kind):
    box = next(box for box in graph_picture(every_kind, saved=True).boxes if box.key == "n0")
    assert texts(box.lines) == ["UnbindBackward0", "f32[3], f32[3]", "dim = 0"]


def test_many_values_are_counted_and_long_ones_are_cut():
    view, node = view_of(*(Saved(f"v{i}", value=i) for i in range(11)))
    assert texts(view.lines(node))[-2:] == ["v7 = 7", "… 3 more values"]
    assert value(Saved("long", value=tuple(range(99)))) == "(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …"
    assert value(Saved("text", value="sum")) == "'sum'"


def test_bytes_and_versions_are_in_the_tooltip():
    view, node = view_of(Saved("self", META, nbytes=24, storage=0, version=2, storage_nbytes=4096))
    assert view.boxes(node, ())[0].tooltip == "self, 24 B, keeps 4 KiB, version 2, on cpu"


def test_how_tensors_lie_in_memory_is_shown_on_request_only():
    meta = TensorMeta((4, 16), "float32", "cpu")
    saved = (
        Saved("mat1", meta, nbytes=256, storage=0), Saved("mat1_sym_sizes", value=(4, 16)),
        Saved("mat1_sym_strides", value=(16, 1)), Saved("mat1_layout", value="strided"),
        Saved("self_sym_sizes", value=(4, 16)), Saved("alpha", value=1),
    )  # fmt: skip
    graph = Graph((Node(0, "AddmmBackward0", "op", 0, saved=saved),), ())
    box, _ = graph_picture(graph, saved=True).boxes
    assert [line.text for line in box.lines[1:]] == ["self_sym_sizes = (4, 16)", "alpha = 1"]
    box, _ = graph_picture(graph, saved="all").boxes
    assert len(box.lines) == 6
    with pytest.raises(RenderError, match=r"^saved must be True, False or 'all', not 'some'$"):
        draw(graph, "dot", saved="some")
