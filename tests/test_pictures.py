"""``render``: what is a record, and what is live."""

from __future__ import annotations

import typing

import pytest
import torch

import autograd_lab as lab
from autograd_lab.records import Record, Traces

EMPTY = lab.Graph((), ())
DRAWN = [EMPTY, lab.ScalarGraph((), ()), lab.Trace(EMPTY, ())]
NOT_DRAWN = [lab.EngineCheck(0, 0), lab.VerifyReport("f", ())]


def test_every_record_is_tried():
    assert {type(record) for record in DRAWN + NOT_DRAWN} == set(typing.get_args(Record))


@pytest.mark.parametrize("record", DRAWN, ids=lambda record: type(record).__name__)
def test_a_record_is_drawn(record):
    assert lab.render(record, format="dot").startswith("digraph")


@pytest.mark.parametrize("record", NOT_DRAWN, ids=lambda record: type(record).__name__)
def test_a_record_that_no_view_draws_is_refused_as_one(record):
    with pytest.raises(lab.RenderError, match=f"cannot draw an? {type(record).__name__}: give one of"):
        lab.render(record, format="dot")


@pytest.mark.parametrize("view", [None, "norms", "trace"])
@pytest.mark.parametrize(
    ("nothing", "says"),
    [
        ([], "the list is empty: give a loss"),
        ((), "the tuple is empty"),
        (Traces(), "no backward was traced"),
    ],
)
def test_an_empty_list_is_called_empty(nothing, says, view):
    with pytest.raises(lab.LabError) as found:
        lab.render(nothing, view=view)
    assert says in str(found.value)


@pytest.mark.parametrize("kind", ["svg", "dot", "md"])
def test_a_list_of_one_trace_is_drawn_as_that_trace(kind):
    w = torch.ones(2, requires_grad=True)
    trace = lab.trace((w * 2).sum(), names={"w": w})
    assert lab.render([trace], format=kind) == lab.render(trace, format=kind)
    assert lab.render(Traces([trace]), format="txt").count("SumBackward0") == 1
