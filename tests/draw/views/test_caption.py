"""What pictures are called, and what is said of them to those who can't see them."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree

import pytest

from autograd_lab.draw import draw, graph_picture, scalar_picture, trace_picture
from autograd_lab.draw.views.caption import outputs
from autograd_lab.records import Accumulation, Edge, GradStats, Graph, Source, Step, TensorMeta, Trace

META = TensorMeta((2,), "float32", "cpu")


@pytest.mark.parametrize(
    ("names", "wanted"),
    [(["loss"], "loss"), ([None], "the output"), (["a", "b"], "a, b"), (["a", None], "2 outputs"), ([], "0 outputs")],
)  # fmt: skip
def test_outputs_have_their_names(names, wanted):
    assert outputs(Graph((), tuple(Edge(0, 0, name) for name in names))) == wanted


def test_a_title_says_what_it_is_of(residual, seed):
    started = Source("/home/me/train.py", 12, "main")
    trace = Trace(residual, (Step(0, 0),), 1_500_000, number=3, started=started)
    assert graph_picture(residual).title == "Backward graph of loss: 8 nodes"
    assert trace_picture(trace).title == "Backward 3 of loss, train.py:12: 1 step in 1.5 ms"
    raised = Trace(residual, (), error=f"RuntimeError({'x' * 99!r})")
    assert trace_picture(raised).title.startswith("Backward of loss: 0 steps; stopped by RuntimeError('xxx")
    assert len(trace_picture(raised).title) < 110
    assert scalar_picture(seed).title == "The chain rule for loss"
    assert scalar_picture(seed, detail="values").title == "The forward of loss"
    for picture in (
        graph_picture(residual, title=""),
        trace_picture(trace, title=""),
        scalar_picture(seed, title=""),
    ):
        assert picture.title == ""


def test_a_summary_is_one_sentence_with_the_numbers(residual, seed):
    stats = (GradStats(META, 0.25), None, GradStats(META, 8.0))
    trace = Trace(residual, (Step(0, 3, grad_inputs=stats),))
    for picture, wanted in (
        (graph_picture(residual), ("loss", "8 nodes", "3 leaves")),
        (trace_picture(trace), ("loss", "8 nodes", "1 ran", "from 0.25 to 8")),
        (scalar_picture(seed), ("loss", "3 operations", "w has the gradient −16")),
    ):
        assert all(word in picture.summary for word in wanted), picture.summary
        assert picture.summary.endswith(".")
        assert "\n" not in picture.summary


def test_a_summary_says_no_more_than_the_picture_shows(seed):
    assert scalar_picture(seed, detail="values").summary == "The computation of loss by 3 operations."


@pytest.mark.parametrize(
    ("unreached", "said"),
    [
        ((), ""),
        (("fc.bias",), "1 parameter {} no gradient: fc.bias"),
        (("a", "b", "c"), "3 parameters {} no gradient: a, b, c"),
        (("a", "b", "c", "d", "e"), "5 parameters {} no gradient: a, b, c, … 2 more"),
    ],
)
def test_a_note_names_the_parameters_that_get_no_gradient(residual, unreached, said):
    graph = dataclasses.replace(residual, unreached=unreached)
    assert graph_picture(graph).note == said.format("will get")
    assert trace_picture(Trace(graph, ())).note == said.format("got")
    assert graph_picture(graph, legend=False).note == ""


def test_a_note_names_leaves_that_ran_for_nothing(residual):
    (leaf, *_) = residual.leaves
    trace = Trace(residual, (Step(0, leaf.id, accumulation=Accumulation("nothing")),))
    assert trace_picture(trace).note == f"1 parameter got no gradient: {leaf.variable}"


@pytest.mark.parametrize("kind", ["svg", "dot", "md"])
def test_a_note_is_written_under_the_picture(residual, kind):
    graph = dataclasses.replace(residual, unreached=("lost",))
    text = draw(graph, kind)
    assert "will get no gradient" in text.replace("\xa0", " ").replace("\\", "")
    assert "lost" not in draw(residual, kind)
    if kind == "svg":
        words = list(ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text"))
        (note,) = [each for each in words if "no gradient" in (each.text or "").replace("\xa0", " ")]
        assert float(note.get("y")) == max(float(each.get("y")) for each in words)
