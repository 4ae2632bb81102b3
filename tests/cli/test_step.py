"""``autograd-lab step``: sessions through a pipe, as they're printed."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from autograd_lab.backward import buffers
from autograd_lab.cli.debugger import PROMPT, Debugger, SteppedEngine

SEED = """
import torch

w, x, y = torch.tensor(0.0, requires_grad=True), torch.tensor(2.0), torch.tensor(4.0)

def loss():
    y_hat = w * x
    return (y_hat - y) ** 2

def shared():
    return (w + 1.0) * w

def not_finite():
    return torch.log(w * 1.0)

def raising():
    y = w * 3.0
    y.register_hook(lambda grad: 1 / 0)
    return y.exp()

def released():
    loss = (w * 2.0).exp()
    loss.backward()
    return loss

class Cell(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 20)

    def forward(self, x):
        return torch.relu(self.inner(x))

def deep():
    model = torch.nn.Sequential(Cell(), torch.nn.Linear(20, 1))
    return model(torch.ones(3, 2)).mean(), model

def tied():
    model = torch.nn.ModuleDict({"a": torch.nn.Linear(1, 1), "b": torch.nn.Linear(1, 1)})
    model["b"].weight = model["a"].weight
    return model["b"](model["a"](torch.ones(1, 1))).sum(), model

class Drops(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        return None

def dropping():
    return Drops.apply(w)
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


# --- the worked example --------------------------------------------------------------


def test_the_worked_example_as_a_reader_sees_it(lab, monkeypatch):
    Path("seed.py").write_text(SEED)
    commands = ["step", "print saved", "where", "s", "", "buffers", "step", "print w.grad", "quit"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(commands)))
    ran = lab("step", "seed.py:loss")
    assert (ran.code, ran.err) == (0, "")
    assert (
        re.sub(r"  /.*/", "  ", ran.out)
        == """\
The backward has 4 nodes; the next is #0 PowBackward0.
A node belongs to an operation of the forward: in comes the gradient of what
that made, out go those of its operands, each → to the node that gets it. Your
.grad stays as it is; print LEAF.grad says what it would be from this backward.
help lists the commands.
(backward) step
#0 PowBackward0  in 1  out −8 → #1 SubBackward0
(backward) print saved
last: #0 PowBackward0 saved:
    exponent = 2
    self = −4
next: #1 SubBackward0 saved:
    alpha = 1
(backward) where
last: #0 PowBackward0  seed.py:8 in loss, by torch.Tensor.__pow__
    return (y_hat - y) ** 2
next: #1 SubBackward0  seed.py:8 in loss, by torch.Tensor.sub
    return (y_hat - y) ** 2
(backward) s
#1 SubBackward0  in −8  out −8 → #2 MulBackward0
(backward)\x20
#2 MulBackward0  in −8  out −16 → #3 w
(backward) buffers
#3 w: −16  from #2
(backward) step
#3 w  in −16  → w.grad
done: all 4 nodes have run
(backward) print w.grad
w.grad = −16
(backward) quit
"""
    )


def test_the_readmes_session_is_as_printed(lab, monkeypatch):
    Path("seed.py").write_text(SEED)
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (session,) = re.findall(r"```text\n(\(backward\).*?)```", readme, re.DOTALL)
    commands = re.findall(r"^\(backward\) (.*)$", session, re.MULTILINE)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(commands)))
    assert session in lab("step", "seed.py:loss").out


def test_next_runs_several_and_knows_the_end(session):
    code, answers = session("next 2", "next", "next 7", "step", "next 3", "continue")
    assert code == 0
    assert [len(answer.splitlines()) for answer in answers[:2]] == [2, 1]
    assert answers[2] == "#3 w  in −16  → w.grad\ndone: all 4 nodes have run"
    assert answers[3:6] == ["done: all 4 nodes have run"] * 3


# --- looking -------------------------------------------------------------------------


def test_print_gives_gradients_values_and_what_was_saved(session):
    code, answers = session(
        "print saved", "print w", "print w.grad", "step", "print", "print in", "print out", "print saved alpha",
        "print saved #2", "continue", "print w.grad", "print saved", "print",
    )  # fmt: skip
    assert code == 0
    assert answers[:3] == [
        "next: #0 PowBackward0 saved:\n    exponent = 2\n    self = −4", "w = 0", "w.grad = not there yet",
    ]  # fmt: skip
    assert answers[4:7] == ["in[0] = 1\nout[0] = −8", "in[0] = 1", "out[0] = −8"]
    assert answers[7] == "next: #1 SubBackward0 saved:\n    alpha = 1"
    assert answers[8] == "#2 MulBackward0 saved:\n    other = 2  (x)\n    self = None"
    assert answers[10:] == ["w.grad = −16", "last: #3 w saved nothing", "in[0] = −16\nout: nothing", ""]


def test_a_tied_leaf_is_printed_by_each_name(session):
    _, answers = session(
        "continue", "print a.weight.grad", "print b.weight.grad", "print b.weight", target="seed.py:tied"
    )
    assert answers[1].partition(" = ")[2] == answers[2].partition(" = ")[2]
    assert answers[3].startswith("b.weight = ")


def test_a_leaf_that_no_gradient_reaches_says_so(session):
    _, answers = session("next 2", "print w.grad", target="seed.py:dropping")
    assert answers == [
        "#0 DropsBackward  in 1  out none → #1 w\n#1 w  in none  w.grad stays as it is\ndone: all 2 nodes have run",
        "w.grad = none", "",
    ]  # fmt: skip


def test_queue_buffers_and_graph_show_the_engines_state(session):
    _, answers = session("buffers", "queue", "step", "buffers", "queue", "graph", "continue", "buffers", "queue",
                         target="seed.py:shared")  # fmt: skip
    assert answers[:2] == ["#0 MulBackward0: 1  from the start", "#0 MulBackward0"]
    assert answers[3].splitlines() == ["#1 AddBackward0: 0  from #0", "#2 w: 1  from #0, 1 awaited"]
    assert answers[4] == "#1 AddBackward0"
    assert [line.split() for line in answers[5].splitlines()] == [
        ["ran", "#0", "MulBackward0", "→", "#1,", "#2"],
        ["→", "ready", "#1", "AddBackward0", "→", "#2,", "–"],
        ["#2", "w"],
    ]  # fmt: skip
    assert answers[7:9] == ["empty", "empty"]


def test_a_large_graph_is_shown_around_the_next_node(session):
    Path("long.py").write_text(
        "import torch\ndef loss():\n    x = torch.ones((), requires_grad=True)\n"
        "    for _ in range(50):\n        x = x * 2\n    return x\n"
    )
    _, answers = session("next 20", "graph", "graph all", target="long.py:loss")
    shown = answers[1].splitlines()
    assert (shown[0], shown[13].split()[:3], shown[-1]) == (
        "  … 8 before", ["→", "ready", "#20"], "  … 19 after",
    )  # fmt: skip
    assert len(shown) == 26
    assert len(answers[2].splitlines()) == 51


def test_where_names_line_call_and_module(session, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # the folder's path is long
    _, answers = session("break 0.inner", "c", "where", target="seed.py:deep")
    assert answers[1].endswith("break 0.inner")
    last, _, upcoming, code = answers[2].splitlines()
    assert re.search(r"ReluBackward0  .*seed.py:\d+ in Cell.forward, in module 0, by torch.relu$", last)
    assert upcoming.endswith("in module 0.inner, by torch.nn.functional.linear")
    assert code == "    return torch.relu(self.inner(x))"


def test_long_answers_are_broken_between_words(session, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, answers = session("break 0.inner", "c", "where", target="seed.py:deep")
    assert any(line.startswith("  ") for line in answers[1].splitlines())
    assert all(len(line) <= 80 or "/" in line for answer in answers for line in answer.splitlines())
    assert "torch.nn.functional.linear" in answers[2]


# --- stopping ------------------------------------------------------------------------


def test_each_stop_says_what_ran_and_why_it_stopped(session):
    code, answers = session(
        "break leaf", "break SubBackward0", "break norm>10", "break", "c", "c", "c", "c", "c"
    )
    assert code == 0
    assert answers[:4] == [
        "break leaf (#3 w)",
        "break SubBackward0 (#1 SubBackward0)",
        "break norm>10",
        "break leaf\nbreak SubBackward0\nbreak norm>10",
    ]
    assert answers[4:9] == [
        "#0 PowBackward0  in 1  out −8 → #1 SubBackward0\nstopped before #1 SubBackward0: break SubBackward0",
        "#2 MulBackward0  in −8  out −16 → #3 w\nstopped: break norm>10",
        "#3 w  in −16  → w.grad\nstopped: break norm>10",
        "done: all 4 nodes have run",
        "done: all 4 nodes have run",
    ]


@pytest.mark.parametrize(
    ("what", "target", "stop"),
    [
        (
            "nonfinite",
            "not_finite",
            "#0 LogBackward0  in 1  out ∞ → #1 MulBackward0\nstopped: break nonfinite",
        ),
        (
            "#2",
            "loss",
            "#1 SubBackward0  in −8  out −8 → #2 MulBackward0\nstopped before #2 MulBackward0: break #2",
        ),
        ("w", "loss", "#2 MulBackward0  in −8  out −16 → #3 w\nstopped before #3 w: break w"),
    ],
)
def test_what_can_be_a_breakpoint(session, what, target, stop):
    _, answers = session(f"break {what}", "continue", target=f"seed.py:{target}")
    assert answers[1] == stop


def test_breakpoints_are_taken_away(session):
    _, answers = session("clear", "break leaf", "break #1", "clear leaf", "clear nothing", "clear", "c")
    assert answers[0] == "no breakpoints"
    assert answers[3:6] == [
        "break #1", "error: clear nothing: there is no such breakpoint; break lists them", "no breakpoints",
    ]  # fmt: skip
    assert answers[6].endswith("done: all 4 nodes have run")


# --- mistakes and errors ---------------------------------------------------------------


def test_what_is_wrong_is_one_line_and_the_session_goes_on(session):
    commands = {
        "stpe": "no command 'stpe'; did you mean 'step'?",
        "formula": "no command 'formula'; help lists them",
        "next 0": "next 0: give a whole number from 1, or nothing",
        "graph some": "graph some: say graph, or graph all",
        "break Sub": "break Sub: there is no node, leaf, tensor or module of that name; did you mean 'SubBackward0'?",
        "break #9": "break #9: there is no node, leaf, tensor or module of that name; graph lists the nodes",
        "break norm>x": "break norm>x: write a number behind it, as in norm>10",
        "print": "nothing has run yet; step runs the next node",
        "print formula": "print formula: there is no leaf 'formula'; print in, out, saved, saved NAME, LEAF or "
        "LEAF.grad",
        "print savd": "print savd: there is no leaf 'savd'; did you mean 'saved'?",
        "print w.gard": "print w.gard: there is no leaf 'w.gard'; did you mean 'w.grad'?",
        "print saved it": "print saved it: neither node has saved anything of that name; see print saved",
        "print saved #9": "print saved #9: there is no such node; graph lists them",
        "help formula": "no command 'formula'; help lists them",
    }
    code, answers = session(*commands, "step")
    assert answers[:-2] == [f"error: {message}" for message in commands.values()]
    assert answers[-2].startswith("#0 PowBackward0")
    assert code == 2  # so that a script notices


def test_what_the_users_code_raises_is_one_line_and_ends_the_run(session):
    code, answers = session("continue", "step", "print", "where", "c", target="seed.py:raising")
    assert re.fullmatch(
        r"error: #1 MulBackward0 raised ZeroDivisionError: division by zero \(.*seed.py:\d+\)", answers[0]
    )
    assert answers[1] == answers[4] == "over: #1 MulBackward0 raised after 1 node"
    assert answers[2] == "in[0] = 1\nout[0] = 1"
    assert [line.split()[0] for line in answers[3].splitlines()[::2]] == ["last:", "raised:"]
    assert code == 2


def test_a_released_graph_says_so(session):
    code, answers = session("print saved", "continue", target="seed.py:released")
    assert answers[0] == "next: #0 ExpBackward0 saved:\n    result = released by an earlier backward"
    assert answers[1].startswith(
        "error: ExpBackward0 can't run: an earlier backward freed what it had saved."
    )
    assert code == 2


# --- help, history, completion ---------------------------------------------------------


COMMANDS = [
    "break",
    "buffers",
    "clear",
    "continue",
    "graph",
    "help",
    "next",
    "print",
    "queue",
    "quit",
    "step",
    "where",
]


def test_help_and_the_end_of_a_pipe(session):
    code, answers = session("help", "help break", "help b", *(f"help {name}" for name in COMMANDS))
    assert code == 0
    *lines, last = answers[0].splitlines()
    assert [line.split()[0] for line in lines] == COMMANDS
    assert (
        last
        == "help COMMAND says more. s, n, c, b, p, w, q will do for step, next, continue, break, print, where, quit."
    )
    assert answers[1] == answers[2]
    assert answers[1].startswith(
        "break [NAME | #ID | leaf | nonfinite | norm>X]: stop at nodes, or at gradients"
    )
    for name, answer in zip(COMMANDS, answers[3:], strict=False):
        assert answer.startswith(name)


def test_completion_knows_commands_nodes_and_leaves():
    w = torch.tensor(1.0, requires_grad=True)
    engine = SteppedEngine((w * 2.0) ** 2, names={"w": w})
    debugger = Debugger(engine, stdin=io.StringIO(), stdout=io.StringIO(), interactive=True)
    assert debugger.completenames("b") == ["break", "buffers"]
    assert debugger.complete_help("q") == ["queue", "quit"]
    assert debugger.complete_break("Mul") == ["MulBackward0"]
    assert debugger.complete_break("") == ["MulBackward0", "PowBackward0", "leaf", "nonfinite", "norm>", "w"]
    assert debugger.complete_print("w") == ["w", "w.grad"]
    debugger.onecmd("break leaf")
    assert debugger.complete_clear("l") == ["leaf"]


class Terminal:
    """A session at a terminal of its own."""

    def __init__(self, *arguments):
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "autograd_lab", *arguments], stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null"},
        )  # fmt: skip
        os.close(slave)

    def __enter__(self):
        self._until("help lists the commands.")
        return self

    def type(self, keys, answer):
        """Types keys, and waits for an answer and the next prompt."""
        os.write(self._master, keys.encode())
        self._until(answer)

    def _until(self, text):
        seen, deadline = "", time.monotonic() + 120
        while not re.search(f"{re.escape(text)}(.|\n)*{re.escape(PROMPT)}$", seen):
            assert time.monotonic() < deadline, f"{text!r} isn't in {seen!r}"
            if select.select([self._master], [], [], 1)[0]:
                seen += os.read(self._master, 4096).decode()

    def __exit__(self, *_):
        os.write(self._master, b"\x15q\n")
        self.code = self._process.wait(timeout=60)
        os.close(self._master)


def test_a_terminal_has_completion_and_history(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("seed.py").write_text(SEED)
    with Terminal("step", "seed.py:loss") as terminal:
        terminal.type("ste\t\n", "#0 PowBackward0  in 1")  # completed to step
        terminal.type("break Sub\t\n", "break SubBackward0 (#1 SubBackward0)")
        terminal.type("\x1b[A\x1b[A\n", "#1 SubBackward0  in −8")  # the line before the last: step
        terminal.type("print w.g\t\n", "w.grad = not there yet")
        terminal.type("stpe\n", "did you mean 'step'?")
    assert terminal.code == 0


# --- what is left behind, and the check --------------------------------------------------


def test_no_grad_is_written_and_nothing_freed():
    w = torch.tensor(1.0, requires_grad=True)
    loss = (w * 2.0).exp()
    engine = SteppedEngine(loss)
    out = io.StringIO()
    Debugger(engine, stdin=io.StringIO("continue\n"), stdout=out, interactive=False).cmdloop()
    assert "done: all 3 nodes have run" in out.getvalue()
    assert w.grad is None
    loss.backward()


def test_check_compares_the_engines_and_leaves_a_code(lab, monkeypatch):
    ran = lab("step", "models.py:loss_and_model", "--check")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"the same: \d+ steps in the same order, \d+ gradients with the same bits\n", ran.out)
    Path("seed.py").write_text(SEED)
    monkeypatch.setattr(buffers, "_sum", lambda old, new: old + new + 1)
    ran = lab("step", "seed.py:shared", "--check")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines() == [
        "different at step 2, node 2 (w): grad_outputs[0]", "  native: float32[] [1.0]", "  glass:  float32[] [2.0]",
    ]  # fmt: skip
    assert lab("step", "models.py:no_graph", "--check").code == 2
    assert lab("step", "models.py:nothing", "--check").code == 2
