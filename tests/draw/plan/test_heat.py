"""Boxes coloured by a value."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, strategies as st

from autograd_lab.draw import draw, to_dot, to_mermaid, trace_picture
from autograd_lab.draw.plan.collapse import plan
from autograd_lab.draw.plan.heat import KINDS, STEPS, heat
from autograd_lab.draw.scales import HEATS
from autograd_lab.draw.svg import DARK
from autograd_lab.draw.theme import INK, PAPER, luminance
from autograd_lab.errors import RenderError
from autograd_lab.records import Contribution, Edge, GradStats, Graph, Node, Saved, Step, TensorMeta, Trace

META = TensorMeta((2,), "float32", "cpu")


def ran(*values: float | None, module: str | None = None) -> Trace:
    """A chain of nodes into which gradients of these norms came; as many microseconds and bytes as the norm is."""
    sizes = [0 if value is None or not math.isfinite(value) else int(value) for value in values]
    nodes = [
        Node(
            i, "ExpBackward0", "op", 99 - i, (META,), (Edge(i + 1, 0),) if i + 1 < len(values) else (None,),
            (Saved("result", META, nbytes=size, storage=i, storage_nbytes=size),) if size else (), module=module,
        )
        for i, size in enumerate(sizes)
    ]  # fmt: skip
    steps = [
        Step(
            i,
            i,
            (None if value is None else GradStats(META, value),),
            duration_ns=1_000 * sizes[i] or None,
        )
        for i, value in enumerate(values)
    ]
    return Trace(Graph(tuple(nodes), (Edge(0, 0, "loss"),)), tuple(steps))


def steps_of(trace: Trace, by: str) -> list[str | None]:
    return list(heat(by, trace.graph, plan(trace.graph), trace.steps).step_of)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1.0, 2.0, 4.0, 7.0], ["0", "1", "3", "5"]),  # by differences
        ([1.0, 1e2, 1e4, 1e6], ["0", "2", "4", "5"]),  # by factors
        ([5.0, 5.0], ["0", "0"]),
        ([1.0, None, 7.0], ["0", None, "5"]),
        ([1.0, 0.0, math.inf, math.nan, 7.0], ["0", "zero", "not finite", "not finite", "5"]),
    ],
)
def test_a_value_has_its_step(values, wanted):
    assert steps_of(ran(*values), "norm") == wanted


@given(st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=20))
def test_more_is_never_a_lower_step_and_every_step_is_in_the_scale(values):
    trace = ran(*values)
    found = heat("norm", trace.graph, plan(trace.graph), trace.steps)
    by_value = [step for _, step in sorted(zip(values, found.step_of, strict=True))]
    assert by_value == sorted(by_value)
    assert set(found.step_of) <= {name for name, _ in found.scale}
    assert len(found.scale) in (1, STEPS)


@pytest.mark.parametrize("by", KINDS)
def test_each_kind_has_its_values_and_its_scale(by):
    picture = trace_picture(ran(10.0, 20.0, 70.0), heat=by)
    assert [box.heat for box in picture.boxes] == ["", "0", "1", "5"]  # the output has none
    texts = [entry.means for entry in picture.legend if entry.heat]
    first, last = {
        "norm": ("10 – 20", "60 – 70"),
        "time": ("0.01 – 0.02", "0.06 – 0.07"),
        "saved": ("10 B – 20 B", "60 B – 70 B"),
    }[by]
    assert (texts[0], texts[-1]) == (first, last)
    assert KINDS[by].what in {entry.means for entry in picture.legend}


def test_a_module_is_as_hot_as_all_that_lies_in_it():
    trace = ran(10.0, 20.0, 70.0, module="net")
    for by, wanted in (("time", 0.1), ("saved", 100.0)):
        drawn = plan(trace.graph, depth=1)
        (value,) = KINDS[by].values(trace.graph, drawn, {step.node: step for step in trace.steps})
        assert value == pytest.approx(wanted)


def test_every_writer_draws_it():
    trace = ran(1.0, 1e3, 1e6)
    for text in (to_dot(trace_picture(trace, heat="norm")), to_mermaid(trace_picture(trace, heat="norm"))):
        found = set(re.findall(r"#[0-9a-f]{6}", text))
        assert {HEATS[step].fill for step in "012345"} <= found
    assert HEATS["5"].fill not in to_dot(trace_picture(trace))


@pytest.mark.parametrize(
    ("of", "options", "message"),
    [
        ("graph", {"heat": ["norm"]}, "no heat ['norm'] in view 'graph': use saved, or trace it and use norm or time"),
        ("graph", {"heat": "norm"}, "heat='norm' is of a Trace, for a graph didn't run: trace it, or use heat='saved'"),
        ("graph", {"heat": "x"}, "no heat 'x' in view 'graph': use saved, or trace it and use norm or time"),
        ("graph", {"heat": "saved"}, "heat='saved' has nothing to show: no node keeps a tensor alive; a backward frees "
         "them, so capture the graph before it"),
        ("trace", {"heat": "norn"}, "no heat 'norn' in view 'trace': use one of norm, time, saved (did you mean "
         "'norm'?)"),
        ("trace", {"heat": "norm"}, "heat='norm' has nothing to show: this trace has no norms; trace with "
         "stats='norm'"),
        ("trace", {"heat": "time"}, "heat='time' has nothing to show: this trace has no times"),
        ("trace", {"heat": "norm", "format": "txt"}, "format 'txt' takes no heat: it's a table; a picture, "
         "such as svg, takes it"),
        ("trace", {"heat": "norm", "format": "svg", "view": "norms"}, "view 'norms' has no option 'heat': use one of "
         "title"),
    ],
)  # fmt: skip
def test_what_has_no_such_values_says_so_in_one_line(of, options, message):
    trace = ran(None, None)
    options = {"format": "dot", **options}
    with pytest.raises(RenderError) as caught:
        draw(trace.graph if of == "graph" else trace, options.pop("format"), **options)
    assert str(caught.value) == message


def test_the_scale_grows_darker_and_wider_and_can_be_read():
    steps = [HEATS[str(i)] for i in range(STEPS)]
    assert [step.width for step in steps] == sorted({step.width for step in steps})
    light = [luminance(step.fill) for step in steps]
    assert light == sorted(light, reverse=True)
    for step in [*steps, HEATS["zero"]]:
        for ink, fill in ((INK, step.fill), (DARK[INK], DARK[step.fill])):
            low, high = sorted((luminance(ink), luminance(fill)))
            assert (high + 0.05) / (low + 0.05) >= 4.5
    wild = HEATS["not finite"].fill
    assert (luminance(PAPER) + 0.05) / (luminance(wild) + 0.05) >= 4.5
    assert (luminance(DARK[wild]) + 0.05) / (luminance(DARK[PAPER]) + 0.05) >= 4.5


def repeated(count: int = 4) -> Trace:
    """A chain of blocks that are alike, into each of which a gradient of norm 3 came, and one node more."""
    trace = ran(*[3.0] * (count + 1))
    *blocks, end = trace.graph.nodes
    nodes = (*(node._replace(module=f"h.{node.id}") for node in blocks), end)
    three = GradStats(META, 3.0)
    steps = tuple(
        step._replace(
            grad_inputs=(three,),
            contributions=(Contribution(0, None if step.node == 0 else step.node - 1, 0, three),),
        )
        for step in trace.steps
    )
    return Trace(Graph(nodes, trace.graph.roots), steps)


@pytest.mark.parametrize("depth", [None, 2])
@pytest.mark.parametrize(("by", "of_all"), [("norm", 6.0), ("time", 0.012), ("saved", 12.0)])
def test_a_box_that_is_drawn_for_several_has_the_colour_of_all_of_them(by, of_all, depth):
    trace = repeated()
    drawn = plan(trace.graph, repeats=True, depth=depth)
    assert [part.times for part in drawn.parts] == [4, 1]
    found = heat(by, trace.graph, drawn, trace.steps)
    assert found.values[0] == pytest.approx(of_all)
    assert found.what.endswith("where one is drawn for several, of all of them")
    assert "for several" not in heat(by, trace.graph, plan(trace.graph), trace.steps).what
    legend = trace_picture(trace, heat=by, repeats=True).legend
    assert sum("of all of them" in entry.means for entry in legend) == 1
