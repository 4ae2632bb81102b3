"""``render``: what is a record, and what is live."""

from __future__ import annotations

import typing

import pytest

import autograd_lab as lab
from autograd_lab.records import Record

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
