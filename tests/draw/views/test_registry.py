"""Views and their options; a wrong one gets one line that lists the right ones."""

from dataclasses import replace

import pytest

from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.registry import VIEWS, picture_maker
from autograd_lab.draw.views.scalar import scalar_picture
from autograd_lab.errors import RenderError, nearest
from autograd_lab.records import GradStats, Step, TensorMeta, Trace


def test_each_record_has_its_usual_view(residual, seed):
    assert picture_maker(residual)() == graph_picture(residual)
    assert picture_maker(seed)() == scalar_picture(seed)


def test_options_reach_the_view_and_none_leaves_the_choice_to_it(residual, seed):
    made = picture_maker(residual, "graph", saved=True, direction="up", title="t", detail=None)()
    assert made == graph_picture(residual, saved=True, direction="up", title="t")
    assert picture_maker(seed, detail="values", direction=None)() == scalar_picture(seed, detail="values")


def test_every_option_of_every_view_is_one_that_it_takes(residual, seed):
    step = Step(0, 0, (GradStats(TensorMeta((), "float32", "cpu"), 1.0),), duration_ns=5)
    for name, view in VIEWS.items():
        if view.picture is None:
            continue
        graph = replace(residual, nodes=(residual.nodes[0]._replace(module="net"), *residual.nodes[1:]))
        record = {"graph": graph, "trace": Trace(graph, (step,)), "scalar": seed}[name]
        for option, values in view.options.items():
            some = {"depth": (0, 3), "heat": ("saved",), "module": ("net",), "title": ("", "net")}.get(
                option, (True,)
            )
            for value in values if isinstance(values, tuple) else some:
                assert picture_maker(record, name, **{option: value})() is not None


@pytest.mark.parametrize(
    ("view", "options", "message"),
    [
        ("graf", {}, "no view 'graf' of a Graph: use one of graph (did you mean 'graph'?)"),
        ("scalar", {}, "view 'scalar' is of a ScalarGraph, not of a Graph"),
        (
            None,
            {"width": 3},
            "view 'graph' has no option 'width': use one of saved, depth, repeats, module, direction, title, legend, "
            "heat (did you mean 'depth'?)",
        ),
        (
            None,
            {"direction": "upp"},
            "no direction 'upp' in view 'graph': use one of down, up, right, left (did you mean 'up'?)",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(residual, view, options, message):
    with pytest.raises(RenderError) as caught:
        picture_maker(residual, view, **options)
    assert str(caught.value) == message


def test_what_has_no_picture_is_said():
    with pytest.raises(RenderError, match=r"^cannot draw a dict: give one of Graph, Trace, ScalarGraph$"):
        picture_maker({})


def test_only_what_is_near_is_suggested():
    assert nearest("zzz", ["svg", "png"]) == "use one of svg, png"
    assert nearest("SVGZ", ["svg", "png"]) == "use one of svg, png (did you mean 'svg'?)"


def test_a_plot_is_no_picture_of_boxes(residual):
    with pytest.raises(RenderError, match=r"^view 'norms' is no picture of boxes: it makes svg, png, pdf$"):
        picture_maker(Trace(residual, ()), "norms")


def test_a_view_makes_a_picture_or_a_plot():
    for view in VIEWS.values():
        assert (view.picture is None) == (view.plot is not None) == bool(view.formats)
