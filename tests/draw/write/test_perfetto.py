"""Traces as a time line: valid trace events, and byte counters that add up."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn

import autograd_lab as lab
from autograd_lab.draw.write.perfetto import LANDED, WAITING, nbytes, to_perfetto
from autograd_lab.errors import RenderError
from autograd_lab.records import (
    Accumulation,
    Contribution,
    Edge,
    GradStats,
    Graph,
    Kernel,
    Node,
    Source,
    Step,
    TensorMeta,
    Trace,
)

ONE = TensorMeta((2,), "float32", "cpu")


@pytest.fixture
def small():
    graph = Graph(
        (
            Node(0, "AddBackward0", "op", 1, (ONE,), (Edge(1, 0), Edge(1, 0)), module="head"),
            Node(1, "AccumulateGrad", "accumulate", 2**64 - 1, (ONE,), variable="w"),
        ),
        (Edge(0, 0),),
    )
    stats = GradStats(ONE, norm=2.0)
    steps = (
        Step(0, 0, (stats,), (stats, stats), 1_000, 2_000, 0, (Kernel("aten::add.Tensor", "input_buffer"),),
             (Contribution(0, None),)),
        Step(1, 1, (stats,), (), 4_000, 500, 1, (), (Contribution(0, 0, 0, stats), Contribution(0, 0, 1, stats)),
             Accumulation("stole", None, stats)),
    )  # fmt: skip
    return Trace(graph, steps, 5_000, number=3, started=Source("train.py", 7, "step"))


def events(*traces):
    return json.loads(to_perfetto(traces))["traceEvents"]


def check(found):
    """The rules of the format, told by themselves: what each phase must have, and how events must lie."""
    needed = {
        "M": {"name", "pid", "tid", "args"},
        "X": {"name", "pid", "tid", "ts", "dur", "cat", "args"},
        "C": {"name", "pid", "ts", "args"},
        "s": {"name", "pid", "tid", "ts", "id", "cat"},
        "f": {"name", "pid", "tid", "ts", "id", "cat", "bp"},
        "i": {"name", "pid", "tid", "ts", "s"},
    }
    for event in found:
        assert needed[event["ph"]] <= set(event)
        assert event.get("dur", 0) >= 0
    slices = [event for event in found if event["ph"] == "X"]
    for track in {(event["pid"], event["tid"]) for event in slices}:
        lying = sorted((e["ts"], e["ts"] + e["dur"]) for e in slices if (e["pid"], e["tid"]) == track)
        for (_, end), (start, _) in itertools.pairwise(lying):
            assert start >= end - 1e-6
    for name, process in {(e["name"], e["pid"]) for e in found if e["ph"] == "C"}:
        times = [e["ts"] for e in found if e["ph"] == "C" and (e["name"], e["pid"]) == (name, process)]
        assert times == sorted(set(times))
    assert all(type(e["id"]) is int for e in found if "id" in e)
    tracks = {(e["pid"], e["tid"]) for e in slices}
    assert len({thread for _, thread in tracks}) == len(tracks)
    starts = {e["id"]: e for e in found if e["ph"] == "s"}
    ends = {e["id"]: e for e in found if e["ph"] == "f"}
    assert starts.keys() == ends.keys()
    for number, start in starts.items():
        assert start["ts"] <= ends[number]["ts"]


def counted(found, name):
    return [event["args"]["bytes"] for event in found if event["ph"] == "C" and event["name"] == name]


def test_the_text(small, golden):
    golden("small.perfetto", to_perfetto([small]))


def test_every_thread_has_a_track_and_every_backward_a_process(small):
    found = events(small, replace(small, number=4))
    check(found)
    names = [(event["pid"], event["args"]["name"]) for event in found if event["ph"] == "M"]
    assert names == [
        (0, "backward 3, train.py:7 in step"), (0, "thread 0"), (0, "thread 1"),
        (1, "backward 4, train.py:7 in step"), (1, "thread 0"), (1, "thread 1"),
    ]  # fmt: skip
    ends = max(e["ts"] + e["dur"] for e in found if e["ph"] == "X" and e["pid"] == 0)
    assert min(e["ts"] for e in found if e["ph"] == "X" and e["pid"] == 1) > ends


def test_bytes_wait_from_the_first_arrival_to_the_run(small):
    assert counted(events(small), WAITING) == [8, 0, 8, 0]
    assert counted(events(small), LANDED) == [8]


def test_a_backward_that_raised_is_drawn_to_its_end(small):
    stopped = replace(small, steps=(small.steps[0]._replace(duration_ns=None),), error="KeyError('mine')")
    found = events(stopped)
    check(found)
    assert [event["name"] for event in found if event["ph"] == "i"] == ["KeyError('mine')"]
    assert [event["dur"] for event in found if event["ph"] == "X"] == [4.0]


def test_a_slice_says_all_that_was_measured(small):
    stats = GradStats(ONE, norm=5.0, mean=-0.5, max_abs=4.0, nans=0, infs=0, zeros=1)
    full = replace(small, steps=(small.steps[0]._replace(grad_outputs=(stats,)),))
    (slice_,) = [event for event in events(full) if event["ph"] == "X"]
    assert slice_["args"]["grad_outputs"] == ["f32[2] norm 5 mean -0.5 largest 4 1 zero"]


def test_numbers_that_are_not_finite_are_still_json(small):
    stats = GradStats(ONE, norm=math.nan, nans=1)
    wild = replace(small, steps=(small.steps[0]._replace(grad_outputs=(stats,)),))
    assert "norm nan" in json.dumps(events(wild))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8), st.booleans())
def test_counters_never_fall_below_zero_and_end_at_zero(links, measured):
    leaves = [torch.ones(2, requires_grad=True) for _ in range(4)]
    values = [leaf * 1.0 for leaf in leaves]
    for a, b in links:
        values[a] = values[a] * values[b]
    done = lab.trace(sum(value.sum() for value in values), stats="norm" if measured else None)
    found = events(done)
    check(found)
    waiting = counted(found, WAITING)
    if not measured:
        assert waiting == counted(found, LANDED) == []  # it isn't known which gradients were undefined
        return
    assert min(waiting) >= 0
    assert waiting[-1] == 0
    assert counted(found, LANDED)[-1] == sum(leaf.grad.nbytes for leaf in leaves)


def test_real_models(tmp_path):
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with lab.watch(model, kernels=True) as watcher:
        for _ in range(2):
            model(torch.randn(2, 3, 8)).sum().backward()
    path = lab.render(watcher.traces, tmp_path / "run.perfetto")
    found = json.loads(Path(path).read_text("utf-8"))["traceEvents"]
    check(found)
    assert len([event for event in found if event["ph"] == "X"]) == 2 * len(watcher.traces[0].steps)
    assert lab.render(watcher.traces[0], format="perfetto").startswith('{"displayTimeUnit"')


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (TensorMeta((), "float64", "cpu"), 8), (TensorMeta((3,), "bool", "cpu"), 3),
        (TensorMeta((2,), "bfloat16", "cpu"), 4),
        (TensorMeta((2,), "complex64", "cpu"), 16), (TensorMeta((4,), "float8_e4m3fn", "cpu"), 4),
        (TensorMeta(("s0", 2), "float32", "cpu"), None), (TensorMeta(None, "float32", "cpu"), None), (None, None),
    ],
)  # fmt: skip
def test_bytes_of_a_tensor(meta, expected):
    assert nbytes(meta) == expected


def test_only_traces_with_times_have_a_time_line(small):
    with pytest.raises(RenderError, match="has no times"):
        to_perfetto([replace(small, steps=(Step(0, 0),))])
    for record in (small.graph, [small, 3], []):
        with pytest.raises(RenderError):
            lab.draw.draw(record, "perfetto")
