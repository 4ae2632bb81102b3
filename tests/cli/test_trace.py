"""``autograd-lab trace``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from autograd_lab import backward
from autograd_lab.backward import trace
from autograd_lab.records import load


def test_a_table_of_the_backward(lab):
    ran = lab("trace", "models.py:scalar", "--stats", "full")
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split() for line in ran.out.splitlines()]
    assert [row[2] for row in rows if row and row[0].isdigit() and row[1].startswith("#")] == [
        "PowBackward0", "SubBackward0", "MulBackward0", "leaf0"
    ]  # fmt: skip
    assert "stole: None → 16" in ran.out


def test_it_is_written_too(lab):
    for ending in ("json", "svg", "txt", "md"):
        ran = lab("trace", "models.py:loss_and_model", "--out", f"trace.{ending}")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.endswith(f"wrote trace.{ending}\n")
    trace = load("trace.json")
    assert len(trace.steps) == len(trace.graph)
    assert ".grad = " in Path("trace.svg").read_text("utf-8")


def test_kernels_and_every_step(lab):
    ran = lab("trace", "models.py:loss_and_model", "--kernels", "--all", "--stats", "none")
    assert "mm" in ran.out
    assert "more steps" not in ran.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models.py:loss", "--stats", "some"], "stats='some' isn't one; use None, 'norm' or 'full'"),
        (["models.py:loss", "--out", "trace.gif"], "unknown format 'gif'"),
        (["models.py:no_graph"], "has no graph"),
    ],
)
def test_wrong_calls_get_one_line(lab, arguments, says):
    ran = lab("trace", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1


def test_depth_and_repeats_reach_the_picture(lab, monkeypatch):
    def traced(*args, **more):
        done = trace(*args, **more)
        nodes = tuple(node._replace(module="net") for node in done.graph.nodes)
        return dataclasses.replace(done, graph=dataclasses.replace(done.graph, nodes=nodes))

    monkeypatch.setattr(backward, "trace", traced)
    assert lab("trace", "models.py:loss", "--out", "one.md", "--depth", "1", "--repeats").code == 0
    assert "gradients in 1" in Path("one.md").read_text("utf-8")
    assert lab("trace", "models.py:loss", "--depth", "-1").code == 2
