"""One module, with its surroundings faded."""

from __future__ import annotations

import pytest
from chains import chain

from autograd_lab.draw import draw, graph_picture, to_dot, trace_picture
from autograd_lab.draw.plan.collapse import plan
from autograd_lab.draw.scales import FADED
from autograd_lab.errors import RenderError
from autograd_lab.records import Edge, GradStats, Graph, Node, Step, TensorMeta, Trace

META = TensorMeta((2,), "float32", "cpu")
LEAF = 2**64 - 1


def net(blocks: int = 4) -> Graph:
    """loss ← net.head ← net.h.{blocks-1} ← … ← net.h.0 ← x; a block is act(fc(input)), with a weight."""
    modules = [
        "net.head",
        *(f"net.h.{i}.{part}" for i in reversed(range(blocks)) for part in ("act", "fc")),
    ]
    nodes: list[Node] = []
    for index, module in enumerate(modules):
        here = len(nodes)
        weighs = module.endswith("fc")
        following = here + 1 + weighs
        edges = (Edge(following, 0), *((Edge(here + 1, 0),) if weighs else ()))
        nodes.append(Node(here, "OpBackward0", "op", 99 - index, (META,), edges, module=module))
        if weighs:
            nodes.append(
                Node(here + 1, "AccumulateGrad", "accumulate", LEAF, (META,), variable=f"{module}.weight")
            )
    nodes.append(Node(len(nodes), "AccumulateGrad", "accumulate", LEAF, (META,), variable="x"))
    return Graph(tuple(nodes), (Edge(0, 0, "loss"),))


def drawn(graph: Graph, **options: object) -> dict[str, bool]:
    """Title of each box → whether it's faded."""
    return {box.lines[0].text: box.heat == FADED for box in graph_picture(graph, **options).boxes}


@pytest.mark.parametrize(
    ("module", "inside", "around"),
    [
        ("net.h.2", {"OpBackward0", "net.h.2.fc.weight"}, {"net.h.3", "net.h.1"}),
        ("h.2", {"OpBackward0", "net.h.2.fc.weight"}, {"net.h.3", "net.h.1"}),  # as its name ends
        ("h.2.fc", {"OpBackward0", "net.h.2.fc.weight"}, {"net.h.2.act", "net.h.1"}),
        ("net.head", {"OpBackward0"}, {"loss", "net.h"}),
        ("net.h.0", {"OpBackward0", "net.h.0.fc.weight"}, {"net.h.1", "x"}),
    ],
)
def test_the_module_is_drawn_whole_and_its_neighbours_as_one_box_each(module, inside, around):
    found = drawn(net(), module=module)
    assert {title for title, faded in found.items() if not faded} - {"loss"} == inside
    assert {title for title, faded in found.items() if faded} | ({"loss"} & set(found)) == around


def test_every_way_in_and_out_of_the_module_is_drawn_and_no_other():
    graph = net()
    whole = plan(graph, module="net.h.2")
    inside = {node.id for node in graph.nodes if (node.module or node.variable).startswith("net.h.2")}
    counted = {edge for leaving in whole.links for link in leaving for edge in link.edges}
    touching = {(tail, slot) for tail, slot, edge in graph.edges if {tail, edge.node} & inside}
    assert touching <= counted
    assert all(part.place != "far" or not whole.links[i] for i, part in enumerate(whole.parts))
    assert sorted(node for part in whole.parts for node in part.nodes) == list(range(len(graph)))


def test_a_module_that_was_called_twice_stands_for_both_calls():
    nodes = chain("out", "cell#2", "mid", "cell", "first", name="OpBackward0")
    graph = Graph(nodes, (Edge(0, 0),))
    assert sorted(box.heat for box in graph_picture(graph, module="cell").boxes) == [*[""] * 3, *[FADED] * 3]
    assert drawn(graph, module="cell#2") == {
        "output": False, "out": True, "OpBackward0": False, "mid": True
    }  # fmt: skip


def test_a_trace_keeps_its_numbers():
    graph = net()
    steps = tuple(
        Step(i, i, (GradStats(META, 1.0 + i),), (GradStats(META, 2.0 + i),)) for i in range(len(graph))
    )
    picture = trace_picture(Trace(graph, steps), module="h.2")
    norms = {arrow.tail: arrow.lines[-1].text for arrow in picture.arrows if arrow.lines}
    whole = trace_picture(Trace(graph, steps))
    (inside,) = [box.key for box in picture.boxes if box.lines[0].text == "net.h.2.fc.weight"]
    for arrow in picture.arrows:
        if arrow.head == inside:
            assert arrow in whole.arrows
    assert set(norms) <= {box.key for box in picture.boxes}
    assert picture.title == "Backward of loss in h.2: 14 steps in all"
    assert "around the module that is drawn" in to_dot(picture)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": "h.22"}, "no module 'h.22' made a node of this graph: the nearest are 'net.h.2', 'net.h.0', "
         "'net.h.1', 'net.h.3'"),
        ({"module": "fc"}, "several modules end in 'fc': say which of 'net.h.0.fc', 'net.h.1.fc', 'net.h.2.fc', "
         "'net.h.3.fc'"),
        ({"module": "h.2", "repeats": True}, "module draws one block and repeats one for several; leave one of them "
         "out"),
        ({"module": ""}, "module must be a module's name, not ''"),
        ({"module": "h.2", "format": "txt"}, "format 'txt' takes no module: it's a table; a picture, "
         "such as svg, takes it"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_in_one_line(options, message):
    options = {"format": "dot", **options}
    with pytest.raises(RenderError) as caught:
        draw(net(), options.pop("format"), **options)
    assert str(caught.value) == message


def test_where_no_module_is_known_that_is_said():
    with pytest.raises(RenderError, match=r"^module draws one .* only a watched forward knows them"):
        graph_picture(Graph((Node(0, "ExpBackward0", "op", 0),), ()), module="h.2")
