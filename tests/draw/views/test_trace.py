"""Traces as pictures."""

from __future__ import annotations

import pytest

from autograd_lab.draw import draw, trace_picture
from autograd_lab.records import (
    Contribution,
    Edge,
    GradStats,
    Graph,
    TensorMeta,
    Trace,
)

ONE = TensorMeta((), "float32", "cpu")


def stats(norm, **others):
    return GradStats(ONE, norm=norm, **others)


def test_the_picture_has_norms_on_arrows_and_grads_on_leaves(trace):
    picture = trace_picture(trace)
    texts = {box.key: [line.text for line in box.lines] for box in picture.boxes}
    assert texts["n0"][-1] == "step 0"
    assert texts["n1"][-3:] == ["step 1", "sum of 2 gradients: 2", "‖.grad‖ = 3 (added)"]
    labels = [[line.text for line in arrow.lines] for arrow in picture.arrows if arrow.tail == "n0"]
    assert labels == [["1"], ["∞ (1 inf)"]]


def test_a_node_that_did_not_run_says_nothing(trace):
    picture = trace_picture(Trace(trace.graph, ()))
    assert all("step" not in line.text for box in picture.boxes for line in box.lines)


@pytest.mark.parametrize("kind", ["svg", "md", "dot", "json"])
def test_other_formats(trace, kind):
    assert "AddBackward0" in draw(trace, kind)


def test_an_outputs_arrow_says_what_the_backward_was_started_with(trace):
    """Two outputs of one node, the second of which nobody measured, and one whose node didn't run."""
    first = trace.steps[0]
    came = (Contribution(0, None, 0, stats(1.5)), Contribution(0, None, 1))
    graph = Graph(trace.graph.nodes, (Edge(0, 0), Edge(0, 0), Edge(1, 0)))
    ran = Trace(graph, (first._replace(contributions=came),))
    labels = [
        [line.text for line in arrow.lines] for arrow in trace_picture(ran).arrows if arrow.look == "root"
    ]
    assert labels == [["1.5"], [], []]
