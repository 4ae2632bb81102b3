"""Tables by module."""

from __future__ import annotations

import pytest
from chains import META, chain

from autograd_lab.draw import draw, graph_table, on_screen, trace_table
from autograd_lab.draw.tables.grid import MOST
from autograd_lab.draw.tables.modules import module_depth
from autograd_lab.errors import RenderError
from autograd_lab.records import Contribution, Edge, GradStats, Graph, Node, Step, Trace


def layers(count: int, each: int = 1) -> Graph:
    """A chain of modules, each with so many nodes, behind a loss."""
    names = [None, *(f"net.layer{i}.part" for i in range(count) for _ in range(each))]
    return Graph(chain(*names), (Edge(0, 0, "loss"),))


def traced(graph: Graph, norms: list[float]) -> Trace:
    stats = [GradStats(META, norm=norm) for norm in norms]
    steps = [
        Step(
            node.id, node.id, (stats[node.id],), tuple(stats[edge.node] for edge in node.next if edge),
            0, 1_000_000, contributions=(Contribution(0, None if node.id == 0 else node.id - 1, 0, stats[node.id]),),
        )
        for node in graph.nodes
    ]  # fmt: skip
    return Trace(graph, tuple(steps))


def test_a_row_for_each_module_with_what_went_in_and_out():
    graph = layers(2, each=2)
    text = trace_table(traced(graph, [5.0, 4.0, 3.0, 2.0, 1.0]), depth=2)
    rows = [line.split() for line in text.splitlines()]
    assert rows[1] == ["module", "nodes", "ms", "gradient", "in", "out"]
    assert rows[3:] == [
        ["(no", "module)", "1", "1.000", "5", "4"],
        ["net.layer0", "2", "2.000", "4", "2"],
        ["net.layer1", "2", "2.000", "2"],
    ]


def test_large_graphs_are_shown_by_module_as_deep_as_fits():
    assert module_depth(layers(MOST - 2)) == 3
    assert module_depth(layers(MOST + 1)) == 1
    assert module_depth(Graph((Node(0, "ExpBackward0", "op", 0),), ())) is None
    text = str(layers(20, each=3))
    assert "net.layer19.part" in text
    assert "#" not in text
    assert "61 nodes: lab.render(graph, 'x.svg', depth=3, repeats=True) draws them" in text
    assert "ExpBackward0" in str(layers(3))


def test_without_modules_a_large_graph_is_listed():
    nodes = [Node(i, "ExpBackward0", "op", 99 - i) for i in range(MOST + 5)]
    assert "… 5 more nodes …" in str(Graph(tuple(nodes), ()))


def test_what_is_missing_and_what_is_not_finite_stands_below():
    graph = Graph((*layers(1).nodes,), (Edge(0, 0),), unreached=("a.weight", "a.bias"))
    assert graph_table(graph).splitlines()[-1] == "2 parameters will get no gradient: a.weight, a.bias"
    wrong = GradStats(META, norm=float("nan"), nans=1)
    trace = Trace(graph, (Step(0, 0, (wrong,)), Step(1, 1, ())))
    assert trace_table(trace).splitlines()[-2:] == [
        "2 parameters got no gradient: a.weight, a.bias",
        "not finite in 1 step, the first: #0 ExpBackward0",
    ]
    assert trace_table(trace, depth=1).splitlines()[-2:] == trace_table(trace).splitlines()[-2:]


@pytest.mark.parametrize("option", [{"depth": 1}, {"repeats": True}])
def test_an_option_is_never_ignored_in_silence(option):
    """The most natural first call: an unwatched forward has no modules."""
    (name,) = option
    bare = Graph((Node(0, "ExpBackward0", "op", 0),), ())
    with pytest.raises(RenderError, match=rf"^{name} shows modules, and only a watched forward knows them: "):
        draw(bare, "svg", **option)
    with pytest.raises(RenderError, match=rf"^format 'json' takes no {name}: it holds the record itself$"):
        draw(layers(2), "json", **option)
    with pytest.raises(RenderError, match=rf"^{name} shows modules, and only a watched forward knows them: "):
        on_screen(bare, str, **option)
    with pytest.raises(
        RenderError, match=r"^a table lists every node or shows modules: leave one of them out$"
    ):
        on_screen(layers(2), str, whole=True, **option)
    assert "net" in draw(layers(2), "txt", depth=1)


def test_a_depth_of_zero_is_an_option_too():
    with pytest.raises(RenderError, match=r"^format 'json' takes no depth"):
        draw(layers(2), "json", depth=0)


def test_repeated_blocks_are_one_row_also_of_a_small_graph():
    for text in (draw(layers(3), "txt", repeats=True), on_screen(layers(3), str, repeats=True)):
        assert "net.layer1 … layer0.part  " in text


def test_what_a_trace_saved_is_shown_by_module_only():
    trace = Trace(layers(1), ())
    with pytest.raises(
        RenderError, match=r"^a trace's table shows what was saved by module only: give depth too$"
    ):
        draw(trace, "txt", saved=True)
