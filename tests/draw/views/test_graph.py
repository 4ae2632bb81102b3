"""The boxes and arrows of a backward graph."""

import pytest

from autograd_lab.draw.picture import Arrow, Line, Picture
from autograd_lab.draw.theme import LOOKS, STROKES, TONES
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.words import metas
from autograd_lab.records import Edge, Graph, Hook, Node, TensorMeta


def box(picture: Picture, key: str):
    return next(box for box in picture.boxes if box.key == key)


def texts(picture: Picture, key: str) -> list[str]:
    return [line.text for line in box(picture, key).lines]


def test_every_node_output_and_edge_is_drawn(residual, every_kind, in_modules):
    for graph in (residual, every_kind, in_modules):
        picture = graph_picture(graph)
        keys = [box.key for box in picture.boxes]
        assert sorted(keys) == sorted(
            [f"n{node.id}" for node in graph.nodes] + [f"r{i}" for i in range(len(graph.roots))]
        )
        drawn = [(arrow.tail, arrow.head) for arrow in picture.arrows]
        edges = [(f"n{tail}", f"n{edge.node}") for tail, _, edge in graph.edges]
        roots = [(f"r{i}", f"n{edge.node}") for i, edge in enumerate(graph.roots)]
        assert sorted(drawn) == sorted(edges + roots)


def test_every_look_stroke_and_tone_is_known_to_the_theme(residual, every_kind):
    for graph in (residual, every_kind):
        picture = graph_picture(graph, saved=True)
        assert {box.look for box in picture.boxes} <= set(LOOKS)
        assert {arrow.look for arrow in picture.arrows} <= set(STROKES)
        lines = [line for item in (*picture.boxes, *picture.arrows) for line in item.lines]
        assert {line.tone for line in lines} <= set(TONES)


def test_parallel_edges_are_drawn_each_with_its_slot(residual):
    arrows = [arrow for arrow in graph_picture(residual).arrows if (arrow.tail, arrow.head) == ("n1", "n2")]
    assert [arrow.tail_slot for arrow in arrows] == [0, 1]


def test_slots_are_numbered_only_where_there_are_several(residual, every_kind):
    picture = graph_picture(residual)
    assert (box(picture, "n0").ins, box(picture, "n0").outs) == ((), ())
    assert box(picture, "n3").outs == ("0", "1", "2")
    picture = graph_picture(every_kind)
    assert box(picture, "n0").ins == ("0", "1")
    arrows = {(arrow.tail, arrow.head): (arrow.tail_slot, arrow.head_slot) for arrow in picture.arrows}
    assert arrows["n0", "n1"] == (None, None)
    assert arrows["n1", "n2"] == (0, 1)
    assert arrows["n2", "n3"] == (1, None)
    assert (arrows["r0", "n0"], arrows["r1", "n0"]) == ((None, 0), (None, 1))


def test_nodes_of_rules_that_were_swapped_in_have_a_look_of_their_own():
    swapped = Node(0, "MulBackward", "function", 3, (TensorMeta((2,), "float32", "cpu"),), rule="mul")
    graph = Graph((swapped, Node(1, "OwnBackward", "function", 2)), ())
    picture = graph_picture(graph)
    assert (box(picture, "n0").look, box(picture, "n1").look) == ("custom", "function")
    assert "the lab's rule 'mul'" in texts(picture, "n0")
    assert "in place of PyTorch's" in box(picture, "n0").tooltip
    assert str(graph).splitlines()[0].endswith("the lab's rules: mul × 1")


def test_a_slot_from_which_no_gradient_is_wanted_is_marked(every_kind):
    picture = graph_picture(every_kind)
    assert (box(picture, "n1").outs, box(picture, "n2").outs) == (("0", "–"), ("–", "1"))
    assert "no gradient wanted from slot 1" in box(picture, "n1").tooltip


def test_a_named_intermediate_stands_on_every_edge_that_carries_it(residual):
    named = [arrow for arrow in graph_picture(residual).arrows if arrow.lines]
    assert [(arrow.head, arrow.lines, arrow.look) for arrow in named] == [
        ("n2", (Line("ĥ", "name"),), "named"),
        ("n2", (Line("ĥ", "name"),), "named"),
    ]


def test_outputs_are_marked_with_their_names(residual, every_kind):
    assert texts(graph_picture(residual), "r0") == ["loss"]
    assert [texts(graph_picture(every_kind), key) for key in ("r0", "r1")] == [["output 0"], ["second"]]
    assert graph_picture(residual).arrows[0] == Arrow("r0", "n0", (), "root")


def test_torchs_own_names_and_shapes_stand_in_the_boxes(residual):
    picture = graph_picture(residual)
    assert texts(picture, "n1") == ["MulBackward0", "f32[5,4]"]
    assert box(picture, "n1").look == "op"


def test_a_leaf_shows_its_name_its_other_names_and_its_shape(residual):
    picture = graph_picture(residual)
    assert box(picture, "n7").look == "accumulate"
    assert box(picture, "n7").lines == (
        Line("fc.weight", "title"),
        Line("also head.weight", "quiet"),
        Line("f32[4,4]"),
    )
    assert "AccumulateGrad" in box(picture, "n7").tooltip


def test_a_python_function_shows_where_it_was_written_and_its_hooks(every_kind):
    picture = graph_picture(every_kind)
    assert texts(picture, "n1") == ["ScaleBackward", "f32[2,3]", "my_ops.py:12", "↪ clip (post hook)"]
    assert "C:\\work\\my_ops.py:12 in forward" in box(picture, "n1").tooltip
    assert [box(picture, f"n{i}").look for i in (1, 2)] == ["function", "compiled"]


def test_many_hooks_are_counted():
    hooks = tuple(Hook("pre_hook", f"h{i}") for i in range(5))
    picture = graph_picture(Graph((Node(0, "ExpBackward0", "op", 0, hooks=hooks),), ()))
    assert texts(picture, "n0")[1:] == [
        "↪ h0 (pre hook)",
        "↪ h1 (pre hook)",
        "↪ h2 (pre hook)",
        "↪ … 2 more hooks",
    ]


def test_four_hooks_are_all_written_as_a_count_would_take_the_room_of_the_fourth():
    hooks = tuple(Hook("pre_hook", f"h{i}") for i in range(4))
    picture = graph_picture(Graph((Node(0, "ExpBackward0", "op", 0, hooks=hooks),), ()))
    assert texts(picture, "n0")[1:] == [f"↪ h{i} (pre hook)" for i in range(4)]


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ([(2,), (3,)], "f32[2], f32[3]"),
        ([(2,)] * 2, "f32[2], f32[2]"),
        ([(2,)] * 64, "64 × f32[2]"),
        ([(i,) for i in range(6)], "f32[0], f32[1], f32[2], … 3 more"),
    ],
)
def test_shapes_of_many_slots_are_written_briefly(shapes, text):
    assert metas(tuple(TensorMeta(shape, "float32", "cpu") for shape in shapes)) == text


def test_nodes_and_the_leaves_of_their_modules_lie_in_clusters(in_modules):
    groups = {box.key: box.group for box in graph_picture(in_modules).boxes}
    assert groups == {
        "r0": (),
        "n0": (),
        "n1": ("net.blocks", "1"),
        "n2": ("net.blocks", "1", "fc"),
        "n3": ("net.blocks", "0.fc"),
        "n4": ("net.blocks", "0.fc"),
    }


def test_a_leaf_lies_in_the_nearest_module_that_is_drawn():
    leaf = Node(1, "AccumulateGrad", "accumulate", 9, variable="attn.out_proj.weight")
    other = Node(2, "AccumulateGrad", "accumulate", 9, variable="embedding.weight")
    node = Node(0, "MmBackward0", "op", 0, next=(Edge(1, 0), Edge(2, 0)), module="attn")
    groups = {box.key: box.group for box in graph_picture(Graph((node, leaf, other), ())).boxes}
    assert groups == {"n0": ("attn",), "n1": ("attn",), "n2": ()}


def test_title_and_direction_are_the_pictures_own(residual):
    picture = graph_picture(residual, direction="up", title="t")
    assert (picture.direction, picture.title) == ("up", "t")
    assert graph_picture(residual).direction == "down"


def test_an_empty_graph_is_an_empty_picture():
    picture = graph_picture(Graph((), ()))
    assert (picture.boxes, picture.arrows, picture.legend) == ((), (), ())


def test_a_kind_that_is_not_known_looks_like_an_operation():
    for kind in ("root", "of a later release"):
        graph = Graph((Node(0, "XBackward0", kind, 0),), ())
        assert [box.look for box in graph_picture(graph).boxes] == ["op"]


@pytest.mark.parametrize(
    ("nodes", "module", "wanted"),
    [(2, None, "down"), (3, None, "right"), (8, None, "right"), (9, None, "down"), (5, "net", "down")],
)
def test_a_short_chain_runs_to_the_right(nodes, module, wanted):
    chain = tuple(
        Node(
            i,
            "ExpBackward0",
            "op",
            9 - i,
            next=(Edge(i + 1, 0) if i + 1 < nodes else None,),
            module=module,
        )
        for i in range(nodes)
    )
    graph = Graph(chain, (Edge(0, 0),))
    assert graph_picture(graph).direction == wanted
    assert graph_picture(graph, direction="up").direction == "up"


def test_what_branches_is_no_chain(residual):
    assert graph_picture(residual).direction == "down"
