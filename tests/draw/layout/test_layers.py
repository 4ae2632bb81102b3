"""Layers and lanes."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from autograd_lab.draw.layout import layers
from autograd_lab.draw.layout.layers import layered, tangle, widest_fan


@st.composite
def graphs(draw, most: int = 12, cycles: bool = True):
    count = draw(st.integers(1, most))
    ends = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(ends, ends), max_size=3 * count))
    return count, edges if cycles else [(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]]


def check(count: int, edges: list[tuple[int, int]]) -> None:
    """What `layers.py` promises of any graph."""
    found = layered(count, edges)
    assert len(found.layer) == len(found.below) >= count
    assert all(found.layer[b] == found.layer[a] + 1 for a, others in enumerate(found.below) for b in others)
    steps = [(a, b) for a, others in enumerate(found.below) for b in others]
    assert len(steps) == len(set(steps))
    walked = {step for path in found.paths for step in itertools.pairwise(path)}
    assert {(a, b) if found.layer[a] < found.layer[b] else (b, a) for a, b in walked} == set(steps)
    for (a, b), path in zip(edges, found.paths, strict=True):
        assert (path == ()) == (a == b)
        if path:
            # An end that isn't the edge's own is a waypoint of a lane that the edge shares.
            assert path[0] == a or path[0] >= count
            assert path[-1] == b or path[-1] >= count
            assert all(vertex >= count for vertex in path[1:-1])


@given(graphs())
@settings(deadline=None)
def test_any_graph(graph):
    check(*graph)


@given(graphs())
@settings(deadline=None)
def test_any_graph_with_shared_lanes(graph):
    before, layers.MOST_APART = layers.MOST_APART, 0
    try:
        check(*graph)
    finally:
        layers.MOST_APART = before


@given(graphs(cycles=False))
@settings(deadline=None)
def test_without_cycles_every_edge_leads_down(graph):
    count, edges = graph
    layer = layered(count, edges).layer
    assert all(layer[a] < layer[b] for a, b in edges)


def test_a_vertex_lies_below_the_lowest_of_those_above_it():
    assert layered(5, [(0, 1), (1, 2), (0, 3), (2, 3), (0, 4)]).layer[:5] == [0, 1, 2, 3, 1]


def test_a_vertex_with_more_edges_out_is_moved_down():
    # 5 has nothing above it and leads to 3 alone: it stands just above 3.
    assert layered(6, [(0, 1), (1, 2), (2, 3), (3, 4), (5, 3)]).layer == [0, 1, 2, 3, 4, 2]


def test_parallel_edges_go_the_same_way():
    assert layered(3, [(0, 1), (1, 2), (0, 2), (0, 2)]).paths[2:] == ((0, 3, 2), (0, 3, 2))


def test_an_edge_that_closes_a_cycle_is_turned_round():
    found = layered(3, [(0, 1), (1, 2), (2, 0)])
    assert found.layer[:3] == [0, 1, 2]
    assert found.paths[2] == (2, 3, 0)


def test_many_long_edges_to_one_vertex_share_a_lane():
    steps = 400
    chain = [(i, i + 1) for i in range(steps)]
    found = layered(steps + 1, chain + [(i, steps) for i in range(steps - 1)])
    # One lane, a waypoint in each layer: not the 79,401 of a lane for each edge.
    assert len(found.layer) == steps + 1 + steps - 1
    *_, whole, last = found.paths
    assert (
        [path for path in found.paths[steps:] if path[-1] == steps]
        == [last]
        == [(steps - 2, steps + 1, steps)]
    )
    assert whole == (steps - 3, steps + 2, steps + 1)


def test_many_long_edges_from_one_vertex_share_a_lane():
    steps = 400
    chain = [(i, i + 1) for i in range(steps)]
    found = layered(steps + 1, chain + [(0, i) for i in range(2, steps + 1)])
    assert len(found.layer) == steps + 1 + steps - 1
    assert [path for path in found.paths[steps:] if path[0] == 0] == [(0, steps + 1, 2)]


def test_few_long_edges_keep_apart():
    chain = [(i, i + 1) for i in range(10)]
    found = layered(11, [*chain, (0, 10), (1, 10), (2, 10)])
    assert [path[-1] for path in found.paths[10:]] == [10, 10, 10]
    assert len(found.layer) == 11 + 9 + 8 + 7


def test_waypoints_end_somewhere(monkeypatch):
    monkeypatch.setattr(layers, "MOST_WAYPOINTS", 0)
    chain = [(i, i + 1) for i in range(30)]
    far = [(i, i + 15) for i in range(15)]
    found = layered(31, chain + far)
    assert len(found.layer) <= 2 * 31
    assert [bool(path) for path in found.paths] == [True] * 30 + [True] * 2 + [False] * 13


@pytest.mark.parametrize("edge", [(0, 2), (-1, 0), (2, 2)])
def test_a_vertex_that_there_is_not(edge):
    with pytest.raises(ValueError, match="outside 0 to 1"):
        layered(2, [edge])


def test_nothing():
    assert layered(0, []) == ([], [], ())


def tangle_by_definition(count: int, edges: list[tuple[int, int]]) -> int:
    found = layered(count, edges)
    spans = [
        sorted((found.layer[a], found.layer[b]))
        for a, b in {frozenset(edge) for edge in edges if edge[0] != edge[1]}
    ]
    passing = Counter(layer for upper, lower in spans for layer in range(upper + 1, lower))
    return sum(number**2 for number in passing.values())


@given(graphs())
@settings(deadline=None)
def test_the_tangle_is_what_passes_each_layer_squared(graph):
    assert tangle(*graph) == tangle_by_definition(*graph)


def test_parallel_edges_and_loops_make_no_tangle():
    assert tangle(3, [(0, 1), (1, 2), (1, 2), (1, 1)]) == 0
    assert tangle(3, [(0, 1), (1, 2), (0, 2), (0, 2)]) == 1


def test_the_widest_fan_is_of_leaves_that_hang_from_one_vertex_alone():
    assert widest_fan(1, []) == 0
    assert widest_fan(6, [(0, 1), (0, 2), (0, 2), (0, 3), (3, 4), (3, 5), (2, 5)]) == 1
    assert widest_fan(4, [(0, 1), (0, 2), (0, 2), (0, 3)]) == 3


def test_many_leaves_of_one_vertex_make_a_block():
    count = layers.MOST_ABREAST + 1
    few, many = ([(0, leaf) for leaf in range(1, leaves + 1)] for leaves in (count - 1, count))
    assert set(layered(count, few).layer) == {0, 1}
    found = layered(count + 1, many)
    check(count + 1, many)
    assert 5 < max(found.layer) < count / 5
