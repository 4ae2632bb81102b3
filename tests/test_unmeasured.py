"""A gradient that couldn't be measured: every text and picture says so, and none makes up a number for it."""

from __future__ import annotations

import json

import pytest

import autograd_lab as lab
from autograd_lab.draw.plots.norms import UNMEASURED, norms, together
from autograd_lab.draw.tables.trace import trace_table, traces_table
from autograd_lab.draw.views.module import together as side_by_side
from autograd_lab.records import (
    Accumulation,
    Contribution,
    Edge,
    GradStats,
    Graph,
    Node,
    Step,
    TensorMeta,
    Trace,
)

META = TensorMeta((2,), "float32", "cpu")
REASON = "DTensor runs code of its own"
UNKNOWN = GradStats(META, unmeasured=REASON)
FIVE = GradStats(META, norm=5.0)


@pytest.fixture
def trace():
    """Two leaves, one with an ordinary gradient, one with one that couldn't be measured."""
    graph = Graph(
        (
            Node(0, "AddBackward0", "op", 1, (META,), (Edge(1, 0), Edge(2, 0))),
            Node(1, "AccumulateGrad", "accumulate", 2**64 - 1, (META,), variable="cell.w"),
            Node(2, "AccumulateGrad", "accumulate", 2**64 - 1, (META,), variable="cell.b"),
        ),
        (Edge(0, 0),),
    )
    steps = (
        Step(0, 0, (FIVE,), (UNKNOWN, FIVE), 0, 10, contributions=(Contribution(0, None, 0, FIVE),)),
        Step(
            1, 1, (UNKNOWN,), (), 20, 10, contributions=(Contribution(0, 0, 0, UNKNOWN),),
            accumulation=Accumulation("stole or copied", None, UNKNOWN),
        ),
        Step(
            2, 2, (FIVE,), (), 40, 10, contributions=(Contribution(0, 0, 1, FIVE),),
            accumulation=Accumulation("stole", None, FIVE),
        ),
    )  # fmt: skip
    return Trace(graph, steps, 60)


def test_the_table_gives_the_reason_where_it_came_in_and_is_brief_elsewhere(trace):
    table = trace_table(trace, width=200)
    assert table.count(REASON) == 1
    assert "not measured → 1, 5 → 2" in table
    assert "stole or copied: None → not measured" in table


def test_a_backwards_norm_is_said_to_leave_it_out(trace):
    assert "5, 1 not measured" in traces_table([trace])


def test_arrows_and_boxes_of_pictures_say_so(trace):
    dot = lab.render(trace, format="dot")
    assert dot.count("not measured") == 2  # the arrow and the box of .grad
    assert REASON not in dot


def test_a_time_line_gives_the_reason(trace):
    events = json.loads(lab.render(trace, format="perfetto"))["traceEvents"]
    said = [event["args"]["grad_outputs"] for event in events if "grad_outputs" in event.get("args", {})]
    assert [f"f32[2] not measured: {REASON}"] in said


def test_no_norm_is_made_up_for_what_holds_it(trace):
    assert side_by_side([FIVE, UNKNOWN]) is None
    found = norms(trace)
    assert found == {"cell.b": 5.0, "cell.w": UNMEASURED}
    assert together([found], 1) == [{"cell": UNMEASURED}]
    assert UNMEASURED in lab.render(trace, format="svg", view="norms")


def test_norms_together_stay_in_range():
    assert together([{"a.w": 3e200, "a.b": 4e200}], 1) == [{"a": pytest.approx(5e200)}]


@pytest.mark.parametrize(
    ("stats", "finite"),
    [
        (UNKNOWN, None),
        (GradStats(META), None),
        (FIVE, True),
        (GradStats(META, norm=float("inf"), nans=0, infs=0), True),  # too large for a float64
        (GradStats(META, norm=float("inf"), nans=0, infs=1), False),
        (GradStats(META, norm=float("nan"), nans=1, infs=0), False),
        (GradStats(META, norm=float("inf")), False),
    ],
)
def test_finite_is_what_the_counts_say(stats, finite):
    assert stats.finite is finite


def test_a_file_keeps_the_reason_and_one_from_before_loads(trace, tmp_path):
    path = lab.save(trace, tmp_path / "trace.json")
    assert lab.load(path) == trace
    before = Trace(trace.graph, (Step(0, 0, (FIVE,)),))
    text = lab.save(before, path).read_text("utf-8")
    assert "unmeasured" not in text  # so this is what an older build wrote
    assert lab.load(path) == before
