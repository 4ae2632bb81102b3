"""What is drawn as one: modules below a depth, blocks that repeat."""

from __future__ import annotations

from collections import Counter

import pytest
from chains import chain
from hypothesis import given, settings, strategies as st

from autograd_lab.draw import draw, graph_picture, to_dot, to_mermaid, trace_picture
from autograd_lab.draw.plan.collapse import plan
from autograd_lab.draw.plan.homes import homes
from autograd_lab.errors import RenderError
from autograd_lab.records import Contribution, Edge, GradStats, Graph, Node, Saved, Step, TensorMeta, Trace

LEAF = 2**64 - 1
META = TensorMeta((2, 3), "float32", "cpu")


def leaf(node_id: int, name: str, **more: object) -> Node:
    return Node(node_id, "AccumulateGrad", "accumulate", LEAF, (META,), variable=name, **more)


def blocks(count: int, *, shapes: dict[int, TensorMeta] | None = None, extra: int | None = None) -> Graph:
    """loss ← net.h.{count-1} ← … ← net.h.0 ← x; a block is add(mm(input, its weight), input).

    ``shapes`` gives a block another shape; to the block ``extra`` an edge from the loss leads.
    """
    nodes = [Node(0, "SumBackward0", "op", 9_000, (META,), ())]
    for index in reversed(range(count)):
        add = len(nodes)
        following = add + 3
        module = f"net.h.{index}"
        meta = (shapes or {}).get(index, META)
        storage = Saved("self", META, nbytes=24, storage=index, storage_nbytes=24)
        nodes += [
            Node(
                add, "AddBackward0", "op", 100 * index + 2, (meta,), (Edge(add + 1, 0), Edge(following, 0)),
                module=module,
            ),
            Node(
                add + 1, "MmBackward0", "op", 100 * index + 1, (meta,), (Edge(following, 0), Edge(add + 2, 0)),
                (storage,), module=f"{module}.fc",
            ),
            leaf(add + 2, f"{module}.fc.weight"),
        ]  # fmt: skip
    nodes.append(leaf(len(nodes), "x"))
    into = [Edge(1, 0)] + ([Edge(1 + 3 * (count - 1 - extra), 0)] if extra is not None else [])
    nodes[0] = nodes[0]._replace(next=tuple(into))
    return Graph(tuple(nodes), (Edge(0, 0, "loss"),))


def titles(picture) -> list[str]:
    return [box.lines[0].text for box in picture.boxes]


# --- where nodes belong --------------------------------------------------------------


def lone(variable: str, users: list[str | None], *, aliases: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Where a leaf belongs that nodes of these modules use."""
    count = len(users)
    nodes = [
        Node(i, "MmBackward0", "op", 9, (META,), (Edge(count, 0),), module=user)
        for i, user in enumerate(users)
    ]
    return homes(Graph((*nodes, leaf(count, variable, aliases=aliases)), ()))[count]


@pytest.mark.parametrize(
    ("variable", "users", "aliases", "home"),
    [
        ("layers.0.weight", ["layers.0"], (), ("layers", "0")),
        ("attn.out_proj.weight", ["attn"], (), ("attn",)),  # the module around uses it; its own never ran
        ("emb.weight", ["emb", "", "head.fc"], (), ("emb",)),
        ("emb.weight", ["emb", "head"], ("head.weight",), ()),
        ("net.a.weight", ["net.a", "net.b"], ("net.b.weight",), ("net",)),
        ("cell.w", ["cell"], (), ("cell",)),
        ("cell.w", ["cell", "cell#2"], (), ()),
        ("rnn.cell.w", ["rnn#2.cell", "rnn#2.cell#2"], (), ("rnn#2",)),
        ("cell.w", ["cell#2", "other"], (), ("cell#2",)),
        ("position", ["", "fc"], (), ()),
        ("x", ["fc"], (), None),
        ("leaf0", [None], (), None),
        ("fc.weight", [None], (), None),  # no module is known at all
        ("fc.weight", [None, "act"], (), ()),
        ("fc.weight", ["fc", "Net#2.fc"], (), ()),  # the model's second call
        ("fc.weight", ["fc", "fc", "Net#2.act"], (), ("Net", "fc")),
        ("fc.weight", ["act", "Net#2.fc"], (), ("Net#2", "fc")),
        ("position", ["fc", "Net#2"], (), ("Net#2",)),
        ("position", ["", "fc", "Net#2.fc"], (), ("Net",)),
        ("position", ["", "Net#2"], (), ()),
    ],
)
def test_where_a_leaf_belongs(variable, users, aliases, home):
    assert lone(variable, users, aliases=aliases) == home


def test_a_leaf_that_one_of_several_calls_uses_lies_in_that_call():
    nodes = (
        Node(0, "TanhBackward0", "op", 9, (META,), (Edge(1, 0),), module="cell#2"),
        Node(1, "MmBackward0", "op", 8, (META,), (Edge(2, 0),), module="cell"),
        leaf(2, "cell.w"),
    )
    assert homes(Graph(nodes, ()))[2] == ("cell",)


# --- depth ---------------------------------------------------------------------------


def test_a_module_is_one_box_with_what_lies_in_it(golden):
    picture = graph_picture(blocks(2), depth=3)
    box = next(box for box in picture.boxes if box.key == "m0")
    assert [line.text for line in box.lines] == [
        "net.h.1", "3 nodes", "1 leaf (6 elements)", "saved 24 B"
    ]  # fmt: skip
    assert titles(picture) == ["loss", "SumBackward0", "net.h.1", "net.h.0", "x"]
    golden("blocks_depth.dot", to_dot(picture))
    golden("blocks_depth.md", to_mermaid(picture))


def test_a_box_says_apart_what_its_parameters_keep_anyway():
    kept = (
        Saved("mat1", META, nbytes=24, storage=0, storage_nbytes=24),
        Saved("mat2", META, nbytes=24, storage=1, storage_nbytes=2048, variable="w", owner="parameter"),
        Saved("other", META, nbytes=24, storage=1, storage_nbytes=2048, variable="w", owner="parameter"),
    )
    nodes = (Node(0, "MmBackward0", "op", 9, (META,), module="a", saved=kept),)
    (box,) = graph_picture(Graph(nodes, ()), depth=1).boxes
    assert [line.text for line in box.lines] == [
        "a",
        "1 node: MmBackward0",
        "saved 24 B + 2 KiB of parameters",
    ]


def test_edges_between_boxes_are_counted():
    counted = {
        (arrow.tail, arrow.head): [line.text for line in arrow.lines]
        for arrow in graph_picture(blocks(2), depth=3).arrows
    }
    assert counted == {
        ("r0", "n0"): [],
        ("n0", "m0"): [],
        ("m0", "m1"): ["× 2"],
        ("m1", "n7"): ["× 2"],
    }


def test_depth_0_is_the_whole_model_and_what_lies_outside_stays():
    assert titles(graph_picture(blocks(3), depth=0)) == ["loss", "SumBackward0", "whole model", "x"]


def test_each_slot_of_a_node_that_is_drawn_keeps_its_arrow():
    nodes = (
        Node(0, "MulBackward0", "op", 5, (META,), (Edge(1, 0), Edge(2, 0))),
        Node(1, "ExpBackward0", "op", 4, (META,), (), module="f.a"),
        Node(2, "SinBackward0", "op", 3, (META,), (), module="f.b"),
    )
    arrows = graph_picture(Graph(nodes, ()), depth=1).arrows
    assert [(arrow.tail, arrow.tail_slot, arrow.head) for arrow in arrows] == [
        ("n0", 0, "m0"),
        ("n0", 1, "m0"),
    ]


def test_every_call_is_a_box_of_its_own():
    nodes = [Node(i, "TanhBackward0", "op", 9 - i, (META,), (Edge(3, 0),), module=name)
             for i, name in enumerate(["cell#3", "cell#2", "cell"])]  # fmt: skip
    assert titles(graph_picture(Graph((*nodes, leaf(3, "cell.w")), ()), depth=1)) == [
        "cell#3", "cell#2", "cell", "cell.w"
    ]  # fmt: skip


def interleaved() -> Graph:
    """Modules that gradients leave and come back to, with nodes of their own: some calls in one another do that."""
    return Graph(chain("a", "b", "a", "b"), (Edge(0, 0),))


@pytest.mark.parametrize("kind", ["dot", "svg", "png", "pdf", "md"])
def test_modules_that_interleave_make_a_cycle_which_is_drawn(kind):
    arrows = [
        (arrow.tail, arrow.head, len(arrow.lines)) for arrow in graph_picture(interleaved(), depth=1).arrows
    ]
    assert arrows == [("r0", "m0", 0), ("m0", "m1", 1), ("m1", "m0", 0)]
    assert len(draw(interleaved(), kind, depth=1)) > 0


@pytest.mark.parametrize(
    ("modules", "depth", "wanted"),
    [
        # a list that gradients leave and come back to stands with its children, at any depth
        (["0.h.1", "0", "0.h.0"], 2, ["0.h.1", "ExpBackward0", "0.h.0"]),
        (["h.1.fc", "", "h.0.fc"], 1, ["h.1", "ExpBackward0", "h.0"]),
        (["h.1.fc", "", "h.0.fc"], 2, ["h.1.fc", "ExpBackward0", "h.0.fc"]),
        (["h.1.x.1", "h.1", "h.1.x.0", "", "h.0"], 1, ["h.1", "ExpBackward0", "h.0"]),
        (["h.1.x.1", "h.1", "h.1.x.0", "h.0"], 3, ["h.1.x.1", "ExpBackward0", "h.1.x.0", "ExpBackward0"]),
        (["h.1", None, "h.0"], 1, ["h.1", "ExpBackward0", "h.0"]),
        # and one that they don't come back to is one box, as what was called is
        (["0", "0.h.1", "0.h.0", "0"], 2, ["ExpBackward0", "0.h", "ExpBackward0"]),
        (["h.1", "h.0"], 1, ["h"]),
        (["f", "", "f"], 1, ["f", "ExpBackward0"]),
    ],
)  # fmt: skip
def test_what_is_never_called_makes_no_cycle(modules, depth, wanted):
    graph = Graph(chain(*modules), ())
    assert titles(graph_picture(graph, depth=depth)) == wanted


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=3).map(".".join), min_size=1, max_size=9))
def test_a_frame_around_what_was_never_called_is_left_once(modules):
    boxes = graph_picture(Graph(chain(*modules), ())).boxes
    for frame in {box.group[:depth] for box in boxes for depth in range(1, len(box.group) + 1)}:
        inside = "".join("x" if box.group[: len(frame)] == frame else " " for box in boxes)
        assert len(inside.split()) == 1 or any(box.group == frame for box in boxes), (frame, inside)


def test_a_model_that_is_called_twice_is_two_boxes_beside_each_other():
    nodes = chain(None, "fc2", "", "fc1", "P#2.fc2", "P#2", "P#2.fc1")
    classes = (("", "P"), ("fc1", "Linear"), ("fc2", "Linear"))
    picture = graph_picture(Graph(tuple(nodes), (), classes=classes), depth=1)
    assert titles(picture) == ["ExpBackward0", "P", "P#2"]
    deeper = graph_picture(Graph(tuple(nodes), (), classes=classes), depth=2)
    assert [[line.text for line in box.lines[:2]] for box in deeper.boxes if box.look == "module"] == [
        ["P.fc2", "Linear"], ["P.fc1", "Linear"], ["P#2.fc2", "Linear"], ["P#2.fc1", "Linear"]
    ]  # fmt: skip


# --- classes -------------------------------------------------------------------------


def test_clusters_and_boxes_say_their_class():
    nodes = chain("body.9", "body.8#2", "body", "head")
    classes = (
        ("", "Net"),
        ("body", "Sequential"),
        ("body.8", "Linear"),
        ("body.9", "BatchNorm1d"),
        ("head", "head"),
    )
    picture = graph_picture(Graph(nodes, (), classes=classes))
    for writer in (to_dot, to_mermaid):
        text = writer(picture)
        assert (
            all(
                f">{label}<" in text or f'"{label}"' in text
                for label in ("body Sequential", "9 BatchNorm1d", "8#2 Linear", "head")
            )
            or writer is to_mermaid
        )
        assert "9 BatchNorm1d" in text
        assert "head head" not in text
    (box,) = [
        box for box in graph_picture(Graph(nodes, (), classes=classes), depth=1).boxes if box.key == "m0"
    ]
    assert [line.text for line in box.lines[:2]] == ["body", "Sequential"]


def test_blocks_of_different_classes_are_not_alike():
    graph = blocks(4)
    assert plan(graph, repeats=True).parts[1].times == 4
    kinds = (("net.h.0", "Block"), ("net.h.1", "Block"), ("net.h.2", "Other"), ("net.h.3", "Other"))
    other = plan(Graph(graph.nodes, graph.roots, classes=kinds), depth=3, repeats=True)
    assert [(part.module, part.kind) for part in other.parts if part.module] == [
        ("net.h.2 … 3 × 2", "Other"), ("net.h.0 … 1 × 2", "Block")
    ]  # fmt: skip


def test_a_cycle_is_laid_out_without_dot_too(monkeypatch):
    from autograd_lab.draw import images

    monkeypatch.setattr(images, "MOST_FOR_DOT", 1)
    assert "b" in draw(interleaved(), "svg", depth=1)
    assert "net.h.0" in draw(blocks(4), "svg", repeats=True)


# --- repeats -------------------------------------------------------------------------


def test_blocks_that_are_alike_are_drawn_once(golden):
    picture = graph_picture(blocks(12), repeats=True)
    assert titles(picture) == [
        "loss", "SumBackward0", "AddBackward0", "MmBackward0", "net.h.0 … 11.fc.weight", "x"
    ]  # fmt: skip
    assert {box.group for box in picture.boxes if box.group} == {
        ("net.h.0 … 11 × 12",),
        ("net.h.0 … 11 × 12", "fc"),
    }
    ways = {
        (arrow.tail, arrow.head, arrow.look): [line.text for line in arrow.lines] for arrow in picture.arrows
    }
    assert ways == {
        ("r0", "n0", "root"): [],
        ("n0", "n1", "edge"): [],
        ("n1", "n2", "edge"): [],
        ("n1", "n1", "again"): ["× 11"],
        ("n2", "n1", "again"): ["× 11"],
        ("n2", "n3", "edge"): [],
        ("n1", "n37", "edge"): [],
        ("n2", "n37", "edge"): [],
    }
    golden("blocks_repeats.dot", to_dot(picture))
    golden("blocks_repeats.md", to_mermaid(picture))


def test_collapsed_blocks_are_one_box():
    picture = graph_picture(blocks(12), depth=3, repeats=True)
    assert titles(picture) == ["loss", "SumBackward0", "net.h.0 … 11 × 12", "x"]
    box = picture.boxes[2]
    assert [line.text for line in box.lines[1:]] == [
        "3 nodes each",
        "1 leaf each (6 elements)",
        "saved 288 B in all",
    ]


def test_a_block_of_another_shape_stays_apart():
    picture = graph_picture(blocks(6, shapes={2: TensorMeta((5,), "float32", "cpu")}), depth=3, repeats=True)
    assert titles(picture)[2:-1] == ["net.h.3 … 5 × 3", "net.h.2", "net.h.0 … 1 × 2"]


def test_a_block_that_is_wired_otherwise_stays_apart():
    assert plan(blocks(6), depth=3, repeats=True).parts[1].times == 6
    found = plan(blocks(6, extra=3), depth=3, repeats=True).parts
    assert [part.times for part in found if part.module] == [2, 4]
    found = plan(blocks(3, extra=0), depth=3, repeats=True).parts
    assert [part.times for part in found if part.module] == [2, 1]


def test_branches_that_are_alike_are_drawn_once():
    nodes = [Node(0, "CatBackward0", "op", 50, (META,), tuple(Edge(i, 0) for i in range(1, 5)))]
    nodes += [
        Node(i, "ExpBackward0", "op", 40 - i, (META,), (Edge(5, 0),), module=f"b.{i}") for i in range(1, 5)
    ]
    found = plan(Graph((*nodes, leaf(5, "x")), ()), repeats=True)
    assert [part.times for part in found.parts] == [1, 4, 1]


# --- every graph ---------------------------------------------------------------------


@st.composite
def graphs(draw):
    """Graphs whose nodes lie in any modules; many of them alike."""
    count = draw(st.integers(1, 14))
    paths = st.lists(st.sampled_from(["a", "b", "0", "1", "1#2"]), max_size=3).map(".".join)
    nodes = []
    for index in range(count):
        later = (
            st.none() | st.builds(Edge, st.integers(index + 1, count - 1), st.just(0))
            if index + 1 < count
            else st.none()
        )
        edges = tuple(draw(st.lists(later, max_size=3)))
        if edges or draw(st.booleans()):
            module = draw(st.none() | paths)
            nodes.append(
                Node(
                    index,
                    draw(st.sampled_from(["Exp", "Sin"])),
                    "op",
                    count - index,
                    (META,),
                    edges,
                    module=module,
                )
            )
        else:
            nodes.append(leaf(index, draw(paths.map(lambda path: f"{path}.w".lstrip(".")))))
    return Graph(tuple(nodes), (Edge(0, 0),))


@given(graphs() | st.builds(blocks, st.integers(1, 5)), st.none() | st.integers(0, 4), st.booleans())
def test_every_node_is_in_one_box_and_every_edge_in_one_place(graph, depth, repeats):
    found = plan(graph, depth=depth, repeats=repeats)
    assert sorted(i for part in found.parts for i in part.nodes) == list(range(len(graph)))
    for index, part in enumerate(found.parts):
        assert {found.part_of[i] for i in part.nodes} == {index}
    counted = Counter(edge for links in found.links for link in links for edge in link.edges)
    inside = Counter(
        (tail, slot)
        for tail, slot, edge in graph.edges
        if found.part_of[tail] == found.part_of[edge.node]
        and found.parts[found.part_of[tail]].module is not None
    )
    assert counted + inside == Counter((tail, slot) for tail, slot, _ in graph.edges)
    for links in found.links:
        for link in links:
            for tail, slot in link.edges:
                assert found.part_of[tail] == link.tail
                assert found.part_of[graph.nodes[tail].next[slot].node] == link.head


@given(graphs())
def test_a_depth_that_no_module_reaches_changes_nothing(graph):
    assert graph_picture(graph, depth=9) == graph_picture(graph)


@given(graphs(), st.booleans())
def test_a_part_stands_for_nodes_that_are_alike(graph, repeats):
    for part in plan(graph, repeats=repeats).parts:
        assert part.module is None
        assert len(part.nodes) == part.times
        assert part.node in part.nodes
        assert len({graph.nodes[i].name for i in part.nodes}) == 1


def test_blocks_that_send_to_each_other_stay_apart():
    nodes = (
        Node(0, "SumBackward0", "op", 50, (META,), (Edge(1, 0), Edge(2, 0))),
        Node(1, "ExpBackward0", "op", 40, (META,), (Edge(4, 0),), module="b.0"),
        Node(2, "ExpBackward0", "op", 30, (META,), (Edge(3, 0),), module="b.1"),
        Node(3, "SinBackward0", "op", 20, (META,), (), module="b.0"),
        Node(4, "SinBackward0", "op", 10, (META,), (), module="b.1"),
    )
    assert {part.times for part in plan(Graph(nodes, ()), repeats=True).parts} == {1}


@st.composite
def rewired(draw):
    """A chain of blocks where some edges were led elsewhere, and the loss got further ones."""
    count = draw(st.integers(2, 6))
    graph = blocks(count)
    nodes = [*graph.nodes, leaf(len(graph), "y")]
    last = len(nodes) - 1
    for _ in range(draw(st.integers(0, 2))):
        tails = draw(
            st.just([1 + 3 * i for i in range(count)]) | st.lists(st.integers(1, last - 2), max_size=2)
        )
        away = draw(st.integers(0, 2))
        for tail in tails:
            if nodes[tail].next:
                target = last if not away else min(tail + 3 * away, last)
                nodes[tail] = nodes[tail]._replace(next=(nodes[tail].next[0], Edge(target, 0)))
    further = draw(st.lists(st.integers(1, last), max_size=2) | st.just([1 + 3 * i for i in range(count)]))
    nodes[0] = nodes[0]._replace(next=(*nodes[0].next, *(Edge(i, 0) for i in further)))
    return Graph(tuple(nodes), (Edge(0, 0),))


@settings(max_examples=400)
@given(rewired())
def test_repeated_blocks_are_wired_alike_but_for_the_ends(graph):
    found = plan(graph, repeats=True)
    links = [link for leaving in found.links for link in leaving]
    fed = {link.head for link in links if link.again}
    onwards = {(link.tail, link.edges[0][1]) for link in links if link.again}
    arrived: dict[tuple[int, int], Counter[int]] = {}
    for link in links:
        tail, head = found.parts[link.tail], found.parts[link.head]
        if link.again:  # from each block but the last
            assert head.times == tail.times
            assert sorted(node for node, _ in link.edges) == list(tail.nodes[:-1])
        elif tail.times > 1:
            ends = (link.tail, link.edges[0][1]) in onwards
            assert [node for node, _ in link.edges] == list(tail.nodes[-1:] if ends else tail.nodes)
        elif head.times > 1:
            arrived.setdefault((link.tail, link.head), Counter()).update(
                graph.nodes[node].next[slot].node for node, slot in link.edges
            )
    for (_, head), counts in arrived.items():  # as many to each block, or more where the chain begins
        first, second, *others = (counts[i] for i in found.parts[head].nodes)
        assert set(others) <= {second}
        assert first == second or (first > second and head in fed)


# --- traces --------------------------------------------------------------------------


def ran(graph: Graph) -> Trace:
    """Every gradient has the norm 3, every node takes a millisecond."""
    three = GradStats(META, norm=3.0)
    return Trace(
        graph,
        tuple(
            Step(
                i, i, (three,), tuple(edge and three for edge in node.next), i, 1_000_000,
                contributions=(Contribution(0, None),) if i == 0 else (),
            )
            for i, node in enumerate(graph.nodes)
        ),
    )  # fmt: skip


def test_a_module_says_how_long_it_took_and_what_flowed():
    picture = trace_picture(ran(blocks(2)), depth=3)
    texts = {box.key: [line.text for line in box.lines] for box in picture.boxes}
    assert texts["m0"][-2:] == ["3 steps, 3 ms", "gradients in 3, out 4.243"]
    assert [[line.text for line in arrow.lines] for arrow in picture.arrows if arrow.tail == "m0"] == [
        ["× 2", "4.243"]
    ]


def test_what_the_backward_was_started_with_came_in_too():
    graph = Graph((Node(0, "ExpBackward0", "op", 5, (META,), module="f"),), (Edge(0, 0),))
    assert [line.text for line in trace_picture(ran(graph), depth=0).boxes[1].lines][-1] == "gradients in 3"


def test_steps_of_repeated_blocks_are_counted_and_the_missing_named():
    trace = ran(blocks(12))
    texts = {box.key: [line.text for line in box.lines] for box in trace_picture(trace, repeats=True).boxes}
    assert texts["n1"][-1] == "12 steps, 12 ms"
    texts = {
        box.key: [line.text for line in box.lines]
        for box in trace_picture(Trace(trace.graph, trace.steps[:5]), depth=3).boxes
    }
    assert "1 of 3 nodes ran, 1 ms" in texts["m1"]
    assert not any("step" in text or "ran" in text for text in texts["m5"])


# --- wrong values --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["svg", "txt"])
@pytest.mark.parametrize("depth", [-1, 1.5, "2", True])
def test_a_wrong_depth_gets_one_line(kind, depth):
    with pytest.raises(RenderError, match=f"^depth must be a whole number from 0 .* up, not {depth!r}$"):
        draw(blocks(2), kind, depth=depth)


def test_wrong_repeats_get_one_line():
    with pytest.raises(RenderError, match=r"^repeats must be True or False, not 12$"):
        draw(blocks(2), "svg", repeats=12)
