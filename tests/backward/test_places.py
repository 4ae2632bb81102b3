"""The user's own line, and what the line calls the tensor whose backward begins."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

import autograd_lab as lab

W = torch.ones(2, requires_grad=True)

LINES = [
    ("loss = (W * 2).sum(); loss.backward()", "loss"),
    ("ü, loss = 'ä', W.sum(); ('ö', loss.backward())", "loss"),  # columns are counted in bytes
    ("out = types.SimpleNamespace(loss=W.sum())\nout.loss.backward()", "out.loss"),
    ("loss = W.sum()\nloss.backward(\n    retain_graph=True,\n)", "loss"),
    ("loss = W.sum()\ntorch.autograd.backward(loss)", "loss"),
    ("loss = W.sum()\ntorch.autograd.grad(loss, W)", "loss"),
    ("for loss in [W.sum()]: loss.backward()", "loss"),
    ("W.sum().backward()", None),  # it has no name
    ("a, b = W.sum(), W.sum()\n(a + b).backward()", None),
    ("losses = [W.sum()]\nlosses[0].backward()", None),
    ("loss = W.sum()\ntorch.autograd.backward([loss, W.sum()])", None),
]


@pytest.mark.parametrize(("text", "name"), LINES)
def test_an_output_has_the_name_that_its_line_gives_it(tmp_path, text, name):
    file = tmp_path / "step.py"
    file.write_text(text, "utf-8")
    with lab.watch() as watcher:
        exec(compile(text, str(file), "exec"), {"W": W, "torch": torch, "types": __import__("types")})
    (trace,) = watcher.traces
    assert trace.graph.roots[0].name == name


def test_a_line_that_cannot_be_read_gives_no_name():
    with lab.watch() as watcher:
        exec("loss = W.sum(); loss.backward()", {"W": W})
    assert watcher.traces[0].graph.roots[0].name is None


def test_a_name_that_the_user_gave_stays():
    with lab.watch(names={"L": (loss := W.sum())}) as watcher:
        loss.backward()
    assert watcher.traces[0].graph.roots[0].name == "L"


def test_no_variable_is_held():
    """As it would be by a frame's ``f_locals``."""
    with lab.watch():
        passing = torch.ones(3)
        gone = weakref.ref(passing)
        loss = W.sum()
        loss.backward()
        del passing
        gc.collect()
        assert gone() is None
