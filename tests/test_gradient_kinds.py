"""Every kind of gradient under every level of statistics, traced, watched and replayed."""

from __future__ import annotations

import math

import pytest
import torch
from gradients import Beside, Gradient, Noting, Wrapper, alone, kinds, not_for_leaves, quiet

import autograd_lab as lab
from autograd_lab._torch import readable
from autograd_lab.backward.bits import same_bits
from autograd_lab.backward.stats import Meter
from autograd_lab.records import jsonio

KINDS = kinds()
ALL = KINDS | not_for_leaves() | alone()
LEVELS = ("norm", "full", None)


def run_trace(loss, stats):
    return lab.trace(loss(), stats=stats)


def run_watch(loss, stats):
    with lab.watch(stats=stats, forward="stats") as watcher:
        loss().backward()
    return watcher.traces[0]


def run_replay(loss, stats):
    return lab.replay(loss(), stats=stats)


WAYS = {"trace": run_trace, "watch": run_watch, "replay": run_replay}


def leaf_of(kind):
    with quiet():
        return kind.make().detach().requires_grad_()


def check(stats, kind, level):
    """Whether a gradient's record says what is so."""
    if level is None:
        assert stats is None
        return
    if kind.dense is None:
        assert kind.reason in stats.unmeasured
        assert stats.norm is stats.max_abs is stats.mean is stats.zeros is stats.finite is None
        return
    with quiet():
        dense = kind.dense()
    wide = dense.to(torch.complex128 if dtype_is_complex(dense) else torch.float64)
    assert stats.unmeasured is None
    assert stats.finite
    assert stats.norm == pytest.approx(torch.linalg.vector_norm(wide).item(), rel=2e-6)
    if level == "full" and wide.numel():
        assert stats.zeros == wide.numel() - torch.count_nonzero(wide)
        assert stats.max_abs == pytest.approx(wide.abs().max().item(), rel=1e-6)
        assert stats.mean == pytest.approx(wide.mean().item(), rel=1e-3 if dense.dtype.itemsize < 4 else 1e-6)


def dtype_is_complex(tensor):
    return tensor.dtype.is_complex


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_measured_or_said_not_to_be(monkeypatch, name, way, level):
    kind, leaf, native = KINDS[name], leaf_of(KINDS[name]), leaf_of(KINDS[name])
    with quiet():
        Gradient.apply(native, kind.make).backward()
        trace = WAYS[way](lambda: Gradient.apply(leaf, kind.make), level)
    (function, accumulation) = trace.steps
    check((*function.grad_inputs, None)[0], kind, level)
    check((*accumulation.grad_outputs, None)[0], kind, level)
    found = trace.grads["leaf0"] if way == "replay" else leaf.grad
    assert same_bits(found, native.grad)
    if (
        found.layout is torch.sparse_coo and way != "replay"
    ):  # a replay's is a copy, which knows that it's coalesced
        assert found.is_coalesced() == native.grad.is_coalesced()
    assert jsonio.loads(jsonio.dumps(trace)) == trace
    monkeypatch.setenv("COLUMNS", "300")  # no cell is broken into lines
    assert ("not measured: " in str(trace)) == (kind.dense is None and level is not None)


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", not_for_leaves())
def test_every_kind_for_an_argument_that_needs_none(name, way, level):
    kind = not_for_leaves()[name]
    leaf = torch.ones(3, requires_grad=True)
    with quiet():
        other = kind.make()
    trace = WAYS[way](lambda: Beside.apply(leaf, other, kind.make), level)
    if way != "replay" and level is not None:  # the glass engine sends it nowhere
        check(trace.steps[0].grad_inputs[1], kind, level)
    assert torch.equal(trace.grads["leaf0"] if way == "replay" else leaf.grad, torch.ones(3))


@pytest.mark.parametrize("name", ALL)
def test_measuring_leaves_a_tensor_as_it_is(name):
    with quiet():
        tensor, before = ALL[name].make(), ALL[name].make()
    flags = [tensor.is_coalesced()] if tensor.layout is torch.sparse_coo else []
    check(Meter("full").measure(tensor).finish(), ALL[name], "full")
    assert same_bits(tensor, before)
    assert flags == ([tensor.is_coalesced()] if flags else [])


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("way", ["trace", "watch"])
@pytest.mark.parametrize("kind", [Wrapper, Noting])
def test_code_of_a_subclass_runs_as_often_as_without_the_lab(kind, way, level):
    def loss():
        leaf = (
            kind(torch.ones(3)).requires_grad_()
            if kind is Wrapper
            else torch.ones(3).as_subclass(kind).requires_grad_()
        )
        return (leaf * leaf * 3).sum()

    def ran(backward):
        made = loss()
        kind.ran.clear()
        backward(made)
        return list(kind.ran)

    assert ran(lambda made: WAYS[way](lambda: made, level)) == ran(torch.autograd.backward)


def test_what_cannot_be_measured_for_torchs_reasons_is_said_in_its_words(monkeypatch):
    def out_of_memory(_):
        raise torch.OutOfMemoryError("no memory left\nand more about it")

    monkeypatch.setattr("autograd_lab.backward.stats.readable", out_of_memory)
    w = torch.ones(3, requires_grad=True)
    trace = lab.trace(w.sum())
    assert trace.steps[0].grad_outputs[0].unmeasured == "no memory left"
    assert torch.equal(w.grad, torch.ones(3))


def test_nothing_is_measured_inside_a_transform():
    seen = []
    torch.vmap(lambda batch: seen.append(readable.readable(batch)) or batch)(torch.ones(2, 3))
    assert seen == ["inside a torch.func transform"]


@pytest.mark.parametrize(
    "name", ["not coalesced float32", "hybrid float32", "sparse_csr float32", "mkldnn", "wrapper"]
)
def test_a_run_stops_only_where_an_element_is_not_finite(name):
    kind = KINDS[name]
    with quiet():
        finite = lab.Engine(Gradient.apply(leaf_of(kind), kind.make)).run(until="nonfinite")
        assert len(finite.steps) == 2
        if kind.dense is None:
            return
        wrong = lab.Engine(Gradient.apply(leaf_of(kind), lambda: kind.make() * math.inf)).run(
            until="nonfinite"
        )
    assert len(wrong.steps) == 1
