"""``autograd-lab step``: sessions through a pipe, as they're printed."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import torch

from autograd_lab.cli.debugger import PROMPT, Debugger, SteppedEngine, value

SEED = """
import torch

w = torch.tensor(0.0, requires_grad=True)

def loss():
    y_hat = w * 2.0
    return (y_hat - 4.0) ** 2

def shared():
    return (w + 1.0) * w

def not_finite():
    return torch.log(w * 1.0)
"""


@pytest.fixture
def session(lab, monkeypatch):
    """Runs commands and gives the code and what each printed."""
    Path("seed.py").write_text(SEED)

    def run(*commands, target="seed.py:loss"):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{command}\n" for command in commands)))
        ran = lab("step", target)
        assert ran.err == ""
        answers = ran.out.split(PROMPT)
        return ran.code, [answer.partition("\n")[2].rstrip("\n") for answer in answers[1:]]

    return run


def test_the_worked_example_step_by_step(session):
    code, answers = session("step", "s", "", "print .grad", "next 5", "step", "quit")
    assert code == 0
    assert answers[:3] == [
        "#0 PowBackward0  in 1  out −8 → #1 SubBackward0",
        "#1 SubBackward0  in −8  out −8 → #2 MulBackward0",
        "#2 MulBackward0  in −8  out −16 → #3 leaf0",
    ]
    assert answers[4:6] == ["#3 leaf0  in −16  → its gradient", "done: all 4 nodes have run"]


def test_what_can_be_looked_at(session):
    _, answers = session(
        "print", "step", "print", "print in", "where", "queue", "buffers", "print saved", "print saved alpha",
        "print leaf0.grad", "continue", "print leaf0.grad", "print saved", "buffers", "queue", "graph",
    )  # fmt: skip
    assert answers[0] == "error: nothing has run yet; step runs the next node"
    assert answers[2] == "in[0] = 1\nout[0] = −8"
    assert answers[3] == "in[0] = 1"
    last, upcoming = answers[4].splitlines()
    assert last.startswith("last: #0 PowBackward0  ")
    assert last.endswith("seed.py:8 in loss, by torch.Tensor.__pow__")
    assert upcoming.endswith("seed.py:8 in loss, by torch.Tensor.sub")
    assert answers[5:10] == ["#1 SubBackward0", "#1 SubBackward0: −8  from #0", "alpha = 1", "alpha = 1",
                             "leaf0.grad = not there yet"]  # fmt: skip
    assert answers[10] == "done: all 4 nodes have run"
    assert answers[11] == "leaf0.grad = −16"
    assert answers[12].startswith("error: no node is left to run")
    assert answers[13:15] == ["empty", "empty"]
    assert answers[15].splitlines()[0].split() == ["ran", "#0", "PowBackward0", "→", "#1"]


def test_saved_tensors_and_buffers_that_wait(session):
    _, answers = session("print saved", "step", "buffers", "continue", target="seed.py:shared")
    assert answers[0] == "other = 0\nself = 1"
    assert answers[2].splitlines() == ["#1 AddBackward0: 0  from #0", "#2 leaf0: 1  from #0, 1 awaited"]


def test_breakpoints(session):
    _, answers = session(
        "break leaf", "break SubBackward0", "break norm>10", "break", "c", "c", "c", "c", "c"
    )
    assert answers[:4] == [
        "break leaf (#3 leaf0)",
        "break SubBackward0 (#1 SubBackward0)",
        "break norm>10",
        "break leaf\nbreak SubBackward0\nbreak norm>10",
    ]
    assert answers[4] == "stopped before #1 SubBackward0: break SubBackward0"
    assert answers[5].endswith("out −16 → #3 leaf0\nstopped: break norm>10")
    assert answers[6].endswith("stopped: break norm>10")
    assert answers[7] == "done: all 4 nodes have run"
    _, answers = session("break nonfinite", "continue", target="seed.py:not_finite")
    assert answers[1] == "#0 LogBackward0  in 1  out ∞ → #1 MulBackward0\nstopped: break nonfinite"
    _, answers = session("break #2", "c")
    assert answers[1] == "stopped before #2 MulBackward0: break #2"


def test_what_is_wrong_is_one_line_and_the_session_goes_on(session):
    _, answers = session(
        "stpe", "next 0", "break Sub", "break #9", "break norm>x", "print it", "print x.grad", "step"
    )
    assert answers[0] == "error: no command 'stpe'; did you mean step?; see help"
    assert answers[1].startswith("error: next 0: give a whole number from 1")
    assert answers[2] == "error: break Sub: there is no node or leaf of that name; did you mean SubBackward0?"
    assert answers[3].startswith("error: until=9 is no node")
    assert answers[4].startswith("error:")
    assert answers[5].startswith("error: print it: print in, out, saved")
    assert answers[6].startswith("error: print x.grad: there is no leaf 'x'")
    assert answers[7].startswith("#0 PowBackward0")


def test_help_and_the_end_of_a_pipe(session):
    code, answers = session("help", "help break")
    assert code == 0
    assert {
        "break",
        "buffers",
        "continue",
        "graph",
        "next",
        "print",
        "queue",
        "quit",
        "step",
        "where",
    } <= set(answers[0].split())
    assert "NAME is a node's" in answers[1]


def test_completion_knows_nodes_and_leaves():
    w = torch.tensor(1.0, requires_grad=True)
    engine = SteppedEngine((w * 2.0) ** 2, names={"w": w})
    debugger = Debugger(engine, stdin=io.StringIO(), stdout=io.StringIO(), interactive=True)
    assert debugger.complete_break("Mul") == ["MulBackward0"]
    assert debugger.complete_break("") == ["MulBackward0", "PowBackward0", "leaf", "nonfinite", "norm>", "w"]
    assert debugger.complete_print("w") == ["w.grad"]


def test_no_grad_is_written_and_nothing_freed(lab, session):
    session("continue")
    from autograd_lab.cli.target import load

    found = load("seed.py:loss")
    engine = SteppedEngine(found.loss)
    debugger = Debugger(engine, stdin=io.StringIO("continue\n"), stdout=io.StringIO(), interactive=False)
    debugger.cmdloop()
    leaf = engine.graph.leaves[0]
    assert leaf.variable == "leaf0"
    found.loss.backward()


def test_check_compares_the_engines(lab):
    ran = lab("step", "models.py:loss_and_model", "--check")
    assert (ran.code, ran.err) == (0, "")
    assert "the same" in ran.out


def test_values_are_written_in_a_line():
    assert value(torch.arange(3.0)) == "f32[3] [0, 1, 2]"
    assert value(torch.ones(20)) == "f32[20] of norm 4.472"
    assert value(torch.ones(20, dtype=torch.int64)) == "i64[20]"
    assert value(torch.ones(2, device="meta")) == "f32[2]"
