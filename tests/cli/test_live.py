"""A line now and then while a script runs."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from autograd_lab.cli import live
from autograd_lab.cli.live import Live
from autograd_lab.records import Graph, Trace

NOWHERE = Graph((), ())


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test puts forward."""
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def test_a_line_in_half_a_second_at_most(clock, capsys):
    traces: list[Trace] = []
    said = Live(traces)
    for number in range(100):
        clock(0.04)
        traces.append(Trace(NOWHERE, (), number=number))
        said()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "autograd-lab: backward 50: 0 steps; all is shown when the script ends, or after Ctrl-C"
    )
    assert lines[1] == "autograd-lab: backward 63: 0 steps"
    assert len(lines) == 4


def test_nothing_is_said_twice_or_of_what_is_inside_another(clock, capsys):
    traces = [Trace(NOWHERE, (), number=0), Trace(NOWHERE, (), number=0, within=3)]
    said = Live(traces)
    for _ in range(3):
        clock(5)
        said()
    assert capsys.readouterr().err.count("\n") == 1


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_backward_does_not_fail_because_nobody_reads(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Gone())
    said = Live([Trace(NOWHERE, ())])
    for _ in range(2):
        clock(5)
        said()


def test_the_line_comes_while_the_script_runs(lab, monkeypatch):
    monkeypatch.setattr(live, "FIRST", 0.0)
    Path("slow.py").write_text(
        "import torch, sys\nw = torch.ones(2, requires_grad=True)\n"
        "(w * 2).sum().backward()\nprint('after', file=sys.stderr)\n"
    )
    lines = lab("run", "slow.py").err.splitlines()
    assert lines[0].startswith("autograd-lab: backward 0, slow.py:3: 3 steps in ")
    assert lines[1] == "after"


def test_after_an_interrupt_what_was_recorded_is_shown(lab):
    Path("stopped.py").write_text(
        "import torch\nw = torch.ones(2, requires_grad=True)\n(w * 2).sum().backward()\nraise KeyboardInterrupt\n"
    )
    ran = lab("run", "--out", "t.json", "stopped.py")
    assert ran.code == 130
    assert "MulBackward0" in ran.err
    assert Path("t.json").exists()
