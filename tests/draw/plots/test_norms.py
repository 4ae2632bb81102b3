"""Plots of gradient norms: what they show, and that nothing is left out of them."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import nn

import autograd_lab as lab
from autograd_lab.draw.plots.norms import MOST_BACKWARDS_OF_LINES, norms, norms_plot, together
from autograd_lab.errors import RenderError


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 1))


def traces(count, **options):
    net = model()
    with lab.watch(net, **options) as watcher:
        for _ in range(count):
            net(torch.ones(2, 3)).square().mean().backward()
    return net, watcher.traces


def test_norms_are_those_of_the_gradients_in_the_models_order():
    net, (trace,) = traces(1)
    found = norms(trace)
    expected = {name: parameter.grad.norm().item() for name, parameter in net.named_parameters()}
    assert found == pytest.approx(expected)
    assert {name.split(".")[0] for name in list(found)[:2]} == {"0"}
    assert {name.split(".")[0] for name in list(found)[-2:]} == {"3"}


def test_layers_are_taken_together_until_they_are_few():
    found = {"h.0.a.w": 3.0, "h.0.a.b": 4.0, "h.1.a.w": None, "out.w": 12.0}
    assert together([found], 9) == [found]
    assert together([found], 3) == [{"h.0.a": 5.0, "h.1.a": None, "out.w": 12.0}]
    assert together([found], 2) == [{"h": 5.0, "out": 12.0}]
    assert together([found], 1) == [{"h": 5.0, "out": 12.0}]
    assert (
        together([{"a.w": math.nan, "a.b": 1.0}], 1)[0]["a"]
        != together([{"a.w": 0.0, "a.b": 1.0}], 1)[0]["a"]
    )


@pytest.mark.parametrize(
    ("count", "kind", "begins"),
    [(1, "svg", "<?xml"), (3, "svg", "<?xml"), (1, "png", b"\x89PNG"), (3, "pdf", b"%PDF")],
)
def test_formats_and_the_same_bytes_each_time(tmp_path, count, kind, begins):
    _, found = traces(count)
    record = found if count > 1 else found[0]
    first, second = (lab.render(record, format=kind, view="norms") for _ in range(2))
    assert first == second
    assert first.startswith(begins)
    path = lab.render(record, tmp_path / f"norms.{kind}", view="norms")
    assert path.stat().st_size > 1000


def words(traces_):
    """The texts of a plot, which matplotlib writes as comments beside the outlines."""
    return re.findall(r"<!-- (.*?) -->", norms_plot(traces_, "svg").decode("utf-8"))


def test_few_backwards_are_lines_and_many_a_map():
    _, found = traces(MOST_BACKWARDS_OF_LINES + 1)
    few, many = set(words(found[:-1])), set(words(found))
    assert "first layer blue, last orange" in few - many
    assert {"backward", "norm of the gradient that arrived", "0.weight", "3.bias"} <= few & many


def test_zero_infinite_missing_and_nan_are_shown_as_what_they_are():
    a, b, c, d, e = (torch.ones(2, requires_grad=True) for _ in range(5))
    loss = (a * 0 + b * math.inf + c * math.nan + d).sum() + Nothing.apply(e).sum()
    trace = lab.trace(loss, names={"a": a, "b": b, "c": c, "d": d, "e": e})
    shown = words([trace])
    assert {"zero", "inf", "NaN", "no gradient"} <= {word.strip() for word in shown}
    assert {"a", "b", "c", "d", "e"} <= set(shown)
    assert any("not finite" in word for word in words([trace, trace]))


def test_a_short_axis_has_numbers_between_the_powers_of_ten():
    a, b = (torch.ones(1, requires_grad=True) for _ in range(2))
    short = lab.trace((a * 0.1 + b * 0.9).sum(), names={"a": a, "b": b})
    long = lab.trace((a * 1e-6 + b).sum(), names={"a": a, "b": b})
    for found in ([short], [short, short]):
        assert {"0.1", "0.2", "0.5", "1"} <= set(words(found))
    assert any("10^{-6}" in word for word in words([long]))
    assert not {"0.2", "0.5"} & set(words([long]))


class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        return None


def test_leaves_that_never_ran_and_names_that_look_like_mathematics():
    a, b = (torch.ones(2, requires_grad=True) for _ in range(2))
    trace = lab.trace((a * b).sum(), names={r"a$\frac$": a, "b": b}, inputs=[a])
    assert norms(trace)["b"] is None
    assert any("frac" in word for word in words([trace]))
    assert any("frac" in word for word in words([trace, trace]))


def test_many_parameters_fit_and_matplotlibs_settings_stay():
    import matplotlib

    before = dict(matplotlib.rcParams)
    net = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)) for _ in range(50)))
    trace = lab.trace(net(torch.ones(1, 2)).sum(), model=net)
    shown = words([trace])
    assert "0.0.weight" not in shown
    assert {"0", "49"} <= set(shown)
    assert dict(matplotlib.rcParams) == before


def test_what_cannot_be_plotted_gets_one_line():
    _, (bare,) = traces(1, stats=None)
    _, (trace,) = traces(1)
    for record, options, says in (
        (bare, {"format": "svg"}, "trace it with stats='norm'"),
        (trace, {"format": "dot"}, "view 'norms' makes no dot"),
        (trace, {"format": "svg", "depth": 1}, "has no option 'depth'"),
        (trace.graph, {"format": "svg"}, "view 'norms' is of a Trace, not of a Graph"),
    ):
        with pytest.raises(RenderError, match=re.escape(says)):
            lab.render(record, view="norms", **options)
