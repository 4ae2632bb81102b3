"""``autograd-lab trace``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autograd_lab.records import load


def test_a_table_of_the_backward(lab, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")  # no cell is folded, however long the backward took
    ran = lab("trace", "models.py:scalar", "--stats", "full")
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split() for line in ran.out.splitlines()]
    assert [row[2] for row in rows if len(row) > 2 and row[0].isdigit() and row[1].startswith("#")] == [
        "PowBackward0", "SubBackward0", "MulBackward0", "leaf0"
    ]  # fmt: skip
    table = " ".join(ran.out.split())
    assert "stole: None → 16" in table
    assert re.findall(r"\(mean (\S+),", table) == ["1", "−8", "−8", "−16"]


def test_it_is_written_too(lab):
    for ending in ("json", "svg", "txt", "md"):
        ran = lab("trace", "models.py:loss_and_model", "--out", f"trace.{ending}")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.endswith(f"wrote trace.{ending}\n")
    trace = load("trace.json")
    assert len(trace.steps) == len(trace.graph)
    assert "‖.grad‖ = " in Path("trace.svg").read_text("utf-8")


def test_kernels_and_every_step(lab):
    ran = lab("trace", "models.py:loss_and_model", "--kernels", "--all", "--stats", "none")
    assert "mm" in ran.out
    assert "more steps" not in ran.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models.py:loss", "--stats", "some"], "no stats 'some': use one of none, norm, full"),
        (["models.py:loss", "--out", "trace.gif"], "unknown format 'gif'"),
        (["models.py:no_graph"], "has no graph"),
    ],
)
def test_wrong_calls_get_one_line(lab, arguments, says):
    ran = lab("trace", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("command", ["trace", "render"])
def test_nodes_know_where_the_target_made_them(lab, tmp_path, command):
    assert lab(command, "models.py:loss", "--out", "made.json").code == 0
    record = load(tmp_path / "made.json")
    nodes = (record.graph if command == "trace" else record).nodes
    assert [node.module for node in nodes if node.name == "AddmmBackward0"] == ["2", "0"]
    assert nodes[0].source.function == "loss"


@pytest.mark.parametrize("command", ["trace", "render"])
def test_nodes_of_a_module_that_the_lab_calls_have_no_line(lab, tmp_path, command):
    (tmp_path / "attention.py").write_text(
        "import torch\nbuild = lambda: torch.nn.MultiheadAttention(4, 2)\n"
    )
    inputs = ["--input", "3x1x4"] * 3
    assert lab(command, "attention.py:build", *inputs, "--out", "made.json").code == 0
    record = load(tmp_path / "made.json")
    nodes = (record.graph if command == "trace" else record).nodes
    assert {node.call.name for node in nodes if node.call} >= {"torch.Tensor.sum"}
    assert {node.source for node in nodes} == {None}


def test_depth_and_repeats_reach_the_picture(lab):
    assert lab("trace", "models.py:loss", "--out", "one.md", "--depth", "0", "--repeats").code == 0
    assert "4 leaves (21 elements)" in Path("one.md").read_text("utf-8")
    assert lab("trace", "models.py:loss", "--depth", "-1").code == 2
