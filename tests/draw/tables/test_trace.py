"""Traces as tables."""

from __future__ import annotations

from dataclasses import replace

from autograd_lab.draw import draw, trace_table, traces_table
from autograd_lab.records import (
    Call,
    GradStats,
    Graph,
    Kernel,
    Source,
    Step,
    TensorMeta,
    Trace,
)

ONE = TensorMeta((), "float32", "cpu")


def stats(norm, **others):
    return GradStats(ONE, norm=norm, **others)


def test_the_table_says_it_all(trace):
    summary, names, _, first, second, remark = trace_table(trace).splitlines()
    assert remark == "not finite in 1 step, the first: #0 AddBackward0"
    assert summary == "2 steps in 4 ms"
    columns = ["step", "node", "ms", "came in", "sum of", "went out", ".grad", "kernels"]
    assert [name.strip() for name in names.split("  ") if name.strip()] == columns
    assert " ".join(first.split()) == "0 #0 AddBackward0 2.000 1 1 → 1, ∞ (1 inf) → 1 (add.Tensor)"
    assert " ".join(second.split()) == "1 #1 w 0.500 2 1 of 0 + 1 of 0 added: 1 → 3"


def test_full_statistics_are_told_of_what_came_in(trace):
    four = TensorMeta((4,), "float32", "cpu")
    came = (GradStats(four, norm=5.0, mean=-0.25, max_abs=4.0, nans=0, infs=0, zeros=2), None)
    full = Trace(trace.graph, (trace.steps[0]._replace(grad_outputs=came), trace.steps[1]))
    *_, first, second, _ = trace_table(full, width=200).splitlines()
    expected = "0 #0 AddBackward0 2.000 5 (mean −0.25, largest 4, 50 % zeros), – 1 → 1"
    assert " ".join(first.split()).startswith(expected)
    assert " ".join(second.split()).startswith("1 #1 w 0.500 2 1 of 0 + 1 of 0 added")


def test_statistics_of_what_has_no_known_size_or_no_elements(trace):
    for shape in ((0,), ("s0", 2), None):
        came = (GradStats(TensorMeta(shape, "float32", "cpu"), norm=0.0, mean=None, max_abs=3.0, zeros=0),)
        one = Trace(trace.graph, (trace.steps[0]._replace(grad_outputs=came),))
        assert "0 (largest 3) " in trace_table(one, width=200)


def test_without_statistics_there_are_no_such_columns(trace):
    bare = Trace(trace.graph, (Step(0, 0, started_ns=0, duration_ns=1_000_000), Step(1, 1)))
    assert trace_table(bare).splitlines()[1].split() == ["step", "node", "ms"]


def test_a_backward_that_was_stopped_says_by_what(trace):
    stopped = Trace(trace.graph, trace.steps[:1], error="KeyError('mine')")
    assert trace_table(stopped).splitlines()[0] == "1 step; stopped by KeyError('mine')"


def test_what_was_watched_shows_module_and_line(trace):
    source = Source("/home/me/train.py", 12, "step")
    far = Source("/home/me/model.py", 7, "forward")
    call = Call("torch.add")
    nodes = (
        trace.graph.nodes[0]._replace(module="head", source=far, call=call),
        trace.graph.nodes[1]._replace(source=source, call=call),
    )
    graph = Graph(nodes, trace.graph.roots)
    steps = (trace.steps[0]._replace(kernels=(Kernel("aten::mul.Tensor", "hook"),)), *trace.steps[1:])
    watched = Trace(graph, steps, number=3, started=source)
    summary, names, _, first, second, _ = trace_table(watched, width=200).splitlines()
    assert summary == "2 steps; backward 3, train.py:12"
    assert second.split()[:4] == ["1", "#1", "w", "12"]  # in the file that the summary names
    assert names.split()[:4] == ["step", "node", "module", "line"]
    assert first.split()[1:5] == ["#0", "AddBackward0", "head", "model.py:7"]
    assert first.endswith("mul.Tensor in a hook")


def test_several_backwards_in_a_table(trace):
    source = Source("/home/me/train.py", 12, "step")
    inner = replace(trace, number=1, within=4, error="KeyError('mine')", started=source)
    lines = traces_table([trace, inner]).splitlines()
    assert lines[0].split() == ["backward", "in", "node", "line", "steps", "ms", "gradient", "raised"]
    assert lines[2].split() == ["0", "2", "4.000", "2"]
    assert lines[3].split() == ["1", "#4", "train.py:12", "2", "4.000", "2", "KeyError('mine')"]


def test_str_is_shortened_and_the_format_is_not(trace):
    many = Trace(trace.graph, tuple(Step(index, 0) for index in range(500)))
    assert "… 460 more steps …" in str(many)
    assert len(draw(many, "txt").splitlines()) == 503
