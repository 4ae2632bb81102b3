"""A legend explains what occurs in a picture, and nothing else."""

from __future__ import annotations

import pytest

from autograd_lab.draw import graph_picture, scalar_picture, to_dot, to_mermaid, trace_picture
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.theme import LOOKS, STROKES
from autograd_lab.draw.views.legend import HOW, legend
from autograd_lab.records import Accumulation, GradStats, Graph, Node, Step, TensorMeta, Trace

META = TensorMeta((2,), "float32", "cpu")


def signs(picture: Picture) -> set[str]:
    return {entry.look or entry.stroke or entry.sign for entry in picture.legend}


def test_only_what_occurs_is_explained(residual, every_kind, seed):
    assert signs(graph_picture(residual)) == {"op", "accumulate", "root", "edge", "named", "0 1 2"}
    assert signs(graph_picture(residual, saved=True)) == {
        "op", "accumulate", "root", "edge", "named", "0 1 2", "saved", "• storage 1"
    }  # fmt: skip
    assert signs(graph_picture(every_kind, saved=True)) == {
        "op", "accumulate", "root", "function", "compiled", "released", "packed", "edge", "saved", "0 1 –", "↪"
    }  # fmt: skip
    assert signs(scalar_picture(seed, detail="expression")) == {
        "variable", "output", "leaf", "constant", "operation", "forward"
    }  # fmt: skip
    assert signs(scalar_picture(seed)) >= {"backward", "2", "∂a/∂b", "−8"}
    assert signs(graph_picture(residual, legend=False)) == set()


@pytest.mark.parametrize("look", sorted(set(LOOKS) - {"answer"}))
def test_every_kind_of_box_has_an_entry(look):
    (entry,) = legend([Box("a", (), look)], [])
    assert (entry.look, entry.means) == (look, LOOKS[look].means)


@pytest.mark.parametrize("look", sorted(set(STROKES) - {"answer", "root"}))
def test_every_kind_of_arrow_has_an_entry(look):
    (entry,) = legend([], [Arrow("a", "b", look=look)])
    assert (entry.stroke, entry.means) == (look, STROKES[look].means)


@pytest.mark.parametrize("how", HOW)
def test_what_happened_at_a_leaf_is_explained_as_the_picture_writes_it(how):
    nodes = (Node(0, "AccumulateGrad", "accumulate", 9, (META,), variable="w"),)
    step = Step(0, 0, accumulation=Accumulation(how, None, GradStats(META, 2.0)))
    assert f"({how})" in signs(trace_picture(Trace(Graph(nodes, ()), (step,))))


def test_each_writer_writes_it_behind_the_picture(residual):
    picture = graph_picture(residual)
    for writer in (to_dot, to_mermaid):
        text = writer(picture)
        assert "n7" in text
        for entry in picture.legend:
            found = entry.means.replace("'", "#39;") if "#39;" in text else entry.means
            assert text.index(found) > text.rindex("n7"), entry


def test_runs_are_explained_where_they_are_drawn():
    def box(title: str, *group: str) -> Box:
        return Box("a", (Line(title, "title"),), "module", group=group)

    assert "… × 2" in {entry.sign for entry in legend([box("h.0 … 3 × 4")], [])}
    assert "… × 2" in {entry.sign for entry in legend([box("fc", "h.0 … 3 × 4")], [])}
    assert "… × 2" not in {entry.sign for entry in legend([box("fc", "h")], [])}
