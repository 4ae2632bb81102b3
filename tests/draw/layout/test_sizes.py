"""Sizes without Graphviz beside those that Graphviz makes."""

import pygraphviz
import pytest

from autograd_lab.draw.layout.sizes import box_size, lines_size
from autograd_lab.draw.layout.widths import line_height
from autograd_lab.draw.picture import DIRECTIONS, Box, Line, Picture
from autograd_lab.draw.theme import LOOKS, TONES
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.scalar import scalar_picture
from autograd_lab.draw.write.dot import to_dot


def drawn_sizes(picture: Picture) -> dict[str, tuple[float, float]]:
    graph = pygraphviz.AGraph(string=to_dot(picture))
    graph.layout("dot")
    return {
        node.get_name(): (72 * float(node.attr["width"]), 72 * float(node.attr["height"]))
        for node in graph.nodes()
    }


def assert_near(picture: Picture) -> None:
    drawn = drawn_sizes(picture)
    for box in picture.boxes:
        for estimated, real in zip(box_size(box, picture.direction), drawn[box.key], strict=True):
            # A hair less is hidden by the space between boxes; much more would waste the page.
            assert 0.98 * real - 1 <= estimated <= 1.05 * real + 2, (box, estimated, real)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_boxes_of_a_graph_take_the_room_that_was_reckoned(residual, every_kind, direction):
    assert_near(graph_picture(residual, saved=True, direction=direction))
    assert_near(graph_picture(every_kind, saved=True, direction=direction))


def test_boxes_of_a_computation_take_the_room_that_was_reckoned(seed):
    assert_near(scalar_picture(seed))


@pytest.mark.parametrize("look", LOOKS)
def test_every_shape_takes_the_room_that_was_reckoned(look):
    for lines in ((Line("ConvolutionBackward0", "title"), Line("f32[64,128,3,3]"), Line("stride = (1, 1)", "quiet")),
                  (Line("w", "variable"),), ()):  # fmt: skip
        assert_near(Picture((Box("n", lines, look),), ()))


def test_lines_stand_under_each_other():
    one, other = lines_size((Line("ab", "title"),)), lines_size((Line("abc"),))
    assert lines_size((Line("ab", "title"), Line("abc"))) == (max(one[0], other[0]), one[1] + other[1])
    assert lines_size((Line("a\nbc"),)) == lines_size((Line("a"), Line("bc")))


@pytest.mark.parametrize("outs", [(), ("0", "1")])
def test_a_line_does_not_touch_the_smaller_one_above_it(svg_of, outs):
    box = Box("n", (Line("step 3", "quiet"), Line("‖.grad‖ = 8 (stole)", "gradient")), outs=outs)
    assert_near(Picture((box,), ()))
    drawn = svg_of(to_dot(Picture((box,), ()))).iter("{http://www.w3.org/2000/svg}text")
    baselines = {text.text: float(text.get("y", "")) for text in drawn}
    assert baselines["‖.grad‖ = 8 (stole)"] - baselines["step 3"] >= line_height(TONES["gradient"].size)
