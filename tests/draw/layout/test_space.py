"""What room a picture leaves."""

from __future__ import annotations

from hypothesis import given, strategies as st

from autograd_lab.draw.layout.routes import Route
from autograd_lab.draw.layout.space import Rect, Space, around_all, pieces

NUMBERS = st.floats(-100, 100)
RECTS = st.builds(
    lambda x, y, w, h: Rect(x, y, x + w, y + h), NUMBERS, NUMBERS, st.floats(1, 90), st.floats(1, 90)
)


@given(st.lists(RECTS, max_size=8), RECTS)
def test_free_is_what_meets_nothing(rects, here):
    assert Space(rects, []).is_free(here) == (not any(here.meets(rect) for rect in rects))


@given(st.lists(RECTS, max_size=8), RECTS, st.floats(1, 60))
def test_the_first_place_that_is_found_is_free_and_none_is_before_it(rects, strip, width):
    space = Space(rects, [])
    left = space.free_from_left(strip, width)
    tried = [strip.left, *(rect.right for rect in rects if strip.left < rect.right)]
    fitting = [
        at
        for at in tried
        if at + width <= strip.right and space.is_free(Rect(at, strip.bottom, at + width, strip.top))
    ]
    assert left == min(fitting, default=None)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=4, max_size=4))
def test_the_pieces_of_a_curve_cover_it(points):
    found = list(pieces(Route(tuple(points), head=True)))
    for t in (i / 50 for i in range(51)):
        s = 1 - t
        x, y = (
            s**3 * points[0][axis] + 3 * s * s * t * points[1][axis] + 3 * s * t * t * points[2][axis]
            + t**3 * points[3][axis]
            for axis in (0, 1)
        )  # fmt: skip
        assert any(rect.left <= x <= rect.right and rect.bottom <= y <= rect.top for rect in found)


def test_around_nothing_is_nothing():
    assert around_all([]).size == (0.0, 0.0)
    assert around_all([Rect(0, 1, 2, 3), Rect(-1, 2, 1, 5)]) == Rect(-1, 1, 2, 5)
