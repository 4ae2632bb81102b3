"""From left to right: order, room, straightness."""

import itertools

import pytest
from hypothesis import given, settings, strategies as st

from autograd_lab.draw.layout.columns import x_positions


def placed(rows, edges, widths=None, waypoints=()):
    count = sum(map(len, rows))
    below = [[b for a, b in edges if a == vertex] for vertex in range(count)]
    widths = widths or [10.0] * count
    return x_positions(
        rows,
        below,
        [vertex in waypoints for vertex in range(count)],
        lambda left, right: (widths[left] + widths[right]) / 2,
    )


@st.composite
def drawings(draw):
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    rows, start = [], 0
    for size in sizes:
        rows.append(draw(st.permutations(range(start, start + size))))
        start += size
    pairs = [(a, b) for upper, lower in itertools.pairwise(rows) for a in upper for b in lower]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=15)) if pairs else []
    widths = draw(st.lists(st.floats(1, 200), min_size=start, max_size=start))
    return rows, edges, widths, draw(st.sets(st.integers(0, start - 1)))


@given(drawings())
@settings(deadline=None)
def test_order_and_room_are_kept(drawing):
    rows, edges, widths, waypoints = drawing
    x = placed(rows, edges, widths, waypoints)
    assert min(x.values()) == 0
    for row in rows:
        for a, b in itertools.pairwise(row):
            assert x[b] - x[a] >= (widths[a] + widths[b]) / 2 - 1e-6


@given(drawings())
@settings(deadline=None)
def test_the_same_each_time(drawing):
    assert placed(*drawing) == placed(*drawing)


def test_the_deepest_way_is_straight():
    rows = [[0], [1, 2, 3], [4], [5]]
    x = placed(rows, [(0, 1), (0, 2), (0, 3), (2, 4), (4, 5)])
    assert x[0] == x[2] == x[4] == x[5]
    assert x[1] == x[0] - 10
    assert x[3] == x[0] + 10
    x = placed(rows, [(0, 1), (0, 2), (0, 3), (3, 4), (4, 5)])
    assert x[0] == x[3] == x[4] == x[5]


def test_a_lane_is_straight():
    # 1, 4 and 7 are waypoints of the edge from 0 to 9 that passes what hangs below 2.
    rows = [[0], [1, 2, 3], [4, 5, 6], [7, 8], [9]]
    edges = [(0, 1), (0, 2), (0, 3), (2, 5), (2, 6), (1, 4), (4, 7), (5, 8), (7, 9), (8, 9)]
    x = placed(rows, edges, waypoints={1, 4, 7})
    assert x[1] == x[4] == x[7]
    assert x[0] == x[2] == x[5] == x[8] == x[9]


@pytest.mark.parametrize("trunk", [0, 1], ids=["left", "right"])
def test_blocks_that_branch_to_the_same_side_do_not_drift(trunk):
    # Each block: a box, two ways down from it, and both meet in the next block's box. One way has two boxes, and goes
    # straight; the other has a bend and a box.
    rows, edges, bends, blocks = [[0]], [], set(), 60
    for block in range(blocks):
        top, bottom = 5 * block, 5 * block + 5
        left, right = (top + 1, top + 2), (top + 3, top + 4)
        rows += [[left[0], right[0]], [left[1], right[1]], [bottom]]
        for first, second in (left, right):
            edges += [(top, first), (first, second), (second, bottom)]
        bends.add((right, left)[trunk][0])
    x = placed(rows, edges, waypoints=bends)
    assert max(x.values()) <= 20
    assert len({x[5 * block] for block in range(blocks + 1)}) == 1


def test_a_fan_is_centred():
    x = placed([[0], list(range(1, 102))], [(0, leaf) for leaf in range(1, 102)])
    assert x[101] - x[1] == 1000
    assert x[0] == 500
