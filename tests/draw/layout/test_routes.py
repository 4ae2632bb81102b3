"""Curves, and how they're written."""

import re
import subprocess
import sys

import pytest

from autograd_lab.draw.layout.routes import Pen, Route
from autograd_lab.draw.native import graphviz

LINE = ((0.0, 30.0), (0.0, 20.0), (0.0, 10.0), (0.0, 0.0))


def test_a_head_is_taken_off_the_end():
    assert Route(LINE, True).pos() == '"e,0.0,0.0 0.0,30.0 0.0,20.0 0.0,10.0 0.0,6.0"'
    assert Route(LINE, True).pos(arrow=10) == '"e,0.0,0.0 0.0,30.0 0.0,20.0 0.0,10.0 0.0,10.0"'
    slanted = ((0.0, 0.0), (0.0, 0.0), (70.0, 60.0), (100.0, 100.0))
    assert Route(slanted, True).pos(arrow=5).endswith(' 97.0,96.0"')


def test_without_a_head_all_is_line():
    assert Route(LINE, False).pos() == '"0.0,30.0 0.0,20.0 0.0,10.0 0.0,0.0"'


def test_no_curve():
    assert Route((), True).pos() == ""


def test_graphviz_draws_the_curve_as_written():
    route = Route(((50.0, 180.0), (50.0, 120.0), (250.0, 80.0), (250.0, 18.0)), True)
    text = f'digraph {{ a [pos="50,200"]; b [pos="250,0"]; a -> b [pos={route.pos()}, arrowsize=0.6]; }}'
    svg = graphviz.run(text, "svg", pinned=True).decode()
    curve = re.search(r'<path[^>]* d="([^"]*)"', svg)
    arrow = re.search(r'<polygon fill="black" stroke="black" points="([^"]*)"', svg)
    assert curve
    assert arrow
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", curve[1])]
    begin, end = numbers[:2], numbers[-2:]
    assert [end[0] - begin[0], end[1] - begin[1]] == pytest.approx([200, 156], abs=0.02)
    # The arrowhead's tip is where the route ends; newer Graphviz leaves the 1.5 points that its outline takes.
    lowest = max(float(point.split(",")[1]) for point in arrow[1].split())
    assert 4.4 < lowest - end[1] < 6.1


def test_a_curve_with_thousands_of_points_can_be_read():
    points = [(float(i % 7), float(-i)) for i in range(3 * 2_000 + 1)]
    text = f'digraph {{ a [pos="0,0"]; b [pos="0,-6000"]; a -> b [pos={Route(tuple(points), True).pos()}] }}'
    assert len(text) > 4 * 16_384
    svg = graphviz.run(text, "svg", pinned=True).decode()
    curve = re.search(r'<path[^>]* d="([^"]*)"', svg)
    assert curve
    assert curve[1].count(",") == len(points)


def test_the_middle():
    route = Route((*LINE, (0.0, -10.0), (30.0, -10.0), (30.0, -20.0)), True)
    assert Route(LINE, True).middle() == (0.0, 15.0)
    assert route.middle() in ((0.0, 15.0), (15.0, -10.0))


def test_a_pen_joins_straight_lines():
    pen = Pen((5.0, 0.0))
    pen.down_to(10.0)
    pen.curve_to(5.02, 20.0)
    pen.down_to(30.0)
    assert pen.points() == ((5.0, 0.0), (5.0, 10.0), (5.0, 20.0), (5.0, 30.0))


def test_a_pen_curves_upright_at_both_ends():
    pen = Pen((0.0, 0.0))
    pen.curve_to(40.0, 20.0)
    assert pen.points() == ((0.0, 0.0), (0.0, 10.0), (40.0, 10.0), (40.0, 20.0))


def test_a_pen_draws_straight_lines():
    pen = Pen((0.0, 0.0))
    pen.down_to(3.0)
    pen.line_to(9.0, 3.0)
    assert pen.points()[-1] == (9.0, 3.0)
    assert pen.points()[4] == pytest.approx((3.0, 3.0))
    assert len(pen.points()) == 7


def test_drawing_starts_no_torch():
    # A picture may be drawn on a machine without torch; these are the modules that need nothing else of the lab.
    code = (
        "import sys, types; sys.modules['torch'] = None\n"
        "from autograd_lab.draw.native import fonts, graphviz, isolated\n"
        "from autograd_lab.draw.layout import layered, layers, columns, sheet, routes"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
