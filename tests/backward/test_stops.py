"""Where a run stops: what each kind of ``until`` means."""

from __future__ import annotations

import pytest
import torch

import autograd_lab as lab
from autograd_lab.backward import stops
from autograd_lab.records import Edge, GradStats, Graph, Node, Step, TensorMeta

GRAPH = Graph(
    (
        Node(0, "MulBackward0", "op", 9, (), (Edge(1, 0, "y"),), module="cell#2"),
        Node(1, "AddBackward0", "op", 8, (), (Edge(2, 0),), module="cell.inner"),
        Node(2, "MulBackward0", "op", 7, (), (Edge(3, 0),), module="cells"),
        Node(3, "AccumulateGrad", "accumulate", 10, (), (), variable="w", aliases=("v",)),
    ),
    (Edge(0, 0, "loss"),),
)
META = TensorMeta((), "float32", "cpu")


@pytest.mark.parametrize(
    ("until", "ids"),
    [
        (1, {1}),
        ("#1", {1}),
        ("MulBackward0", {0, 2}),
        ("AccumulateGrad", {3}),
        ("w", {3}),
        ("v", {3}),
        ("y", {1}),
        ("loss", {0}),
        ("cell", {0, 1}),
        ("cell#2", {0}),
        ("cell.inner", {1}),
        ("cells", {2}),
        (None, set()),
        ("nonfinite", set()),
    ],
)
def test_names_and_ids_stop_before_nodes(until, ids):
    assert stops.before(until, GRAPH) == ids


@pytest.mark.parametrize("until", [4, -1, True, "#4", "#", "inner", "cel", "", 1.5])
def test_what_is_no_node_is_refused(until):
    with pytest.raises(lab.OptionError, match="until="):
        stops.before(until, GRAPH)


@pytest.mark.parametrize(
    ("came", "went", "stops_there"),
    [(1.0, 2.0, False), (float("nan"), 1.0, True), (1.0, float("inf"), True), (None, None, False)],
)
def test_nonfinite_looks_at_what_came_and_what_went(came, went, stops_there):
    def stats(norm):
        return (None if norm is None else GradStats(META, norm=norm),)

    assert stops.after("nonfinite")(Step(0, 0, stats(came), stats(went))) is stops_there


@pytest.mark.parametrize(
    ("stats", "stops_there"),
    [
        (GradStats(META, norm=float("inf"), nans=0, infs=0), False),  # finite elements, too large a norm
        (GradStats(META, norm=float("inf"), nans=0, infs=1), True),
        (GradStats(META, unmeasured="quantized"), False),
    ],
)
def test_nonfinite_goes_by_the_elements(stats, stops_there):
    assert stops.after("nonfinite")(Step(0, 0, (stats,), ())) is stops_there


def test_a_function_of_a_step_is_asked():
    asked = stops.after(lambda step: step.node == 2)
    assert [asked(Step(0, node)) for node in (1, 2)] == [False, True]
    assert not stops.after("w")(Step(0, 3))


def test_the_debuggers_words_mean_the_same_in_python():
    """``break norm>X`` and ``break leaf``."""
    w = torch.full((3,), 2.0, requires_grad=True)

    def engine(**options) -> lab.Engine:
        return lab.Engine(((w * 3) * 4).sum(), names={"w": w}, **options)

    for text, steps in (("norm>1.5", 1), ("norm > 6", 2), ("norm>1e9", 4)):
        assert len(engine().run(until=text).steps) == steps, text
    stopped = engine()
    stopped.run(until="leaf")
    assert stopped.graph.node(stopped.next).variable == "w"
    with pytest.raises(lab.OptionError, match=r"^norm>high: write a number behind it, as in norm>10$"):
        engine().run(until="norm>high")
    with pytest.raises(
        lab.OptionError, match=r"^until='norm>1' needs statistics; make the Engine with stats='norm'$"
    ):
        engine(stats=None).run(until="norm>1")
