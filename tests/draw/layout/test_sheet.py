"""Coordinates and curves of one connected graph: nothing is run over."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies as st

from autograd_lab.draw.layout.layered import layout

STEPS = 12


def along(points) -> Iterator[tuple[float, float]]:
    """Walks along a curve of cubic Béziers."""
    for index in range(0, len(points) - 1, 3):
        a, b, c, d = points[index : index + 4]
        for step in range(STEPS + 1):
            t = step / STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield tuple(
                sum(weight * point[axis] for weight, point in zip(weights, (a, b, c, d), strict=True))
                for axis in (0, 1)
            )


def run_over(sizes, edges, found):
    """Finds (edge, box) where an edge's curve goes through a box that isn't one of its ends."""
    hits = set()
    for index, (edge, route) in enumerate(zip(edges, found.routes, strict=True)):
        for x, y in along(route.points):
            for box, ((middle_x, middle_y), (width, height)) in enumerate(
                zip(found.positions, sizes, strict=True)
            ):
                inside = max(abs(x - middle_x) - width / 2, abs(y - middle_y) - height / 2) < -0.1
                if inside and box not in edge:
                    hits.add((index, box))
    return sorted(hits)


@st.composite
def graphs(draw):
    count = draw(st.integers(2, 10))
    sizes = draw(st.lists(st.tuples(st.floats(10, 200), st.floats(10, 80)), min_size=count, max_size=count))
    ends = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(ends, ends), max_size=2 * count))
    return sizes, sorted((min(edge), max(edge)) for edge in edges if edge[0] != edge[1])


@given(graphs(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_curves_keep_clear_of_boxes_and_join_their_ends(graph, fold):
    sizes, edges = graph
    found = layout(sizes, edges, fold=fold)
    assert run_over(sizes, edges, found) == []
    for (a, b), route in zip(edges, found.routes, strict=True):
        assert len(route.points) % 3 == 1
        assert route.head
        for box, (x, y), side in ((a, route.points[0], -1), (b, route.points[-1], 1)):
            assert abs(x - found.positions[box][0]) <= sizes[box][0] / 2
            assert y == pytest.approx(found.positions[box][1] + side * sizes[box][1] / 2)


def test_the_check_sees_a_curve_through_a_box():
    sizes, edges = [(40.0, 20.0)] * 3, [(0, 1), (1, 2), (0, 2)]
    found = layout(sizes, edges)
    moved = (found.positions[0], found.routes[2].middle(), found.positions[2])
    assert run_over(sizes, edges, type(found)(moved, found.routes, 0, 0)) == [(2, 1)]


def test_parallel_edges_run_side_by_side():
    found = layout([(60.0, 20.0)] * 2, [(0, 1), (0, 1), (0, 1)])
    assert [route.points[0][0] for route in found.routes] == [25.0, 30.0, 35.0]
    assert len({route.pos() for route in found.routes}) == 3


def test_an_edge_leaves_and_arrives_where_it_is_told_to():
    sizes, edges = [(60.0, 20.0), (80.0, 30.0), (60.0, 20.0)], [(0, 1), (1, 2), (0, 2)]
    ends = [(-10.0, 20.0), (0.0, 0.0), (15.0, -5.0)]
    found = layout(sizes, edges, ends=ends)
    for (a, b), (leaves, arrives), route in zip(edges, ends, found.routes, strict=True):
        assert route.points[0][0] == pytest.approx(found.positions[a][0] + leaves)
        assert route.points[-1][0] == pytest.approx(found.positions[b][0] + arrives)


def test_an_arrowhead_has_room_to_stand_upright():
    found = layout([(60.0, 20.0)] * 4, [(0, 1), (0, 2), (0, 3)])
    for route in found.routes:
        (x, tip), (base_x, base) = route.points[-1], route.points[-4]
        assert x == base_x
        assert base - tip >= 6


def test_rows_stand_apart_where_edges_go_far_aside():
    near, far = (layout([(60.0, 20.0)] * (n + 1), [(0, leaf) for leaf in range(1, n + 1)]) for n in (3, 300))
    assert far.height > near.height


def test_edges_across_a_cut_do_not_meet_in_the_gutter():
    # Three chains that run side by side, so that three edges cross each cut.
    length, chains = 60, 3
    sizes = [(60.0, 20.0)] * (1 + length * chains)
    edges = [(0, 1 + chain) for chain in range(chains)]
    edges += [(i, i + chains) for i in range(1, 1 + (length - 1) * chains)]
    found = layout(sizes, edges, fold=True)
    assert found.height < 2_000
    across = [
        (edge, route)
        for edge, route in zip(edges, found.routes, strict=True)
        if found.positions[edge[0]][1] < found.positions[edge[1]][1]
    ]
    assert len(across) % chains == 0
    assert across
    assert run_over(sizes, edges, found) == []
    gutters = [max(route.points, key=lambda point: point[1])[0] for _, route in across]
    lows = [min(y for _, y in route.points) for _, route in across]
    for cut in range(0, len(across), chains):
        assert len(set(gutters[cut : cut + chains])) == chains
        assert len(set(lows[cut : cut + chains])) == chains
