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
    ("losses = [W.sum()]\ntorch.autograd.backward(losses)", "losses"),
    ("loss = W.sum()\ntorch.autograd.backward(tensors=loss)", "loss"),
    ("loss = W.sum()\ntorch.autograd.grad(outputs=loss, inputs=W)", "loss"),
    ("loss = W.sum()\ngetattr(loss, 'backward')()", None),
]


@pytest.mark.parametrize(("text", "name"), LINES)
def test_an_output_has_the_name_that_its_line_gives_it(tmp_path, text, name):
    file = tmp_path / "step.py"
    file.write_text(text, "utf-8")
    with lab.watch() as watcher:
        exec(compile(text, str(file), "exec"), {"W": W, "torch": torch, "types": __import__("types")})
    (trace,) = watcher.traces
    assert trace.graph.roots[0].name == name


TWO = "a, b = W.sum(), W.sum()\n"

HANDED_OVER = [
    ("a, b = W.sum(), W.sum()\ngraph = lab.capture(a)", ["a"]),
    (
        "out = types.SimpleNamespace(loss=W.sum())\ngraph = lab.trace(out.loss, names={'W': W}).graph",
        ["out.loss"],
    ),
    ("from autograd_lab import trace\nloss = W.sum()\ngraph = trace(outputs=loss).graph", ["loss"]),
    ("loss = W.sum()\ngraph = lab.replay(loss).graph", ["loss"]),
    ("loss = W.sum()\ngraph = lab.Engine(loss).graph", ["loss"]),
    (TWO + "graph = lab.capture([a, b])", ["a", "b"]),
    (TWO + "graph = lab.capture((a, b * 2))", ["a", None]),
    (TWO + "both = a, b\ngraph = lab.capture(both)", ["both[0]", "both[1]"]),
    (TWO + "both = [b]\ngraph = lab.capture([a, both])", ["a", "both"]),
    (TWO + "both = [b]\ngraph = lab.capture([a, *both])", [None, None]),
    (
        TWO + "out = {'loss': a, 'aux': [b, a]}\ngraph = lab.capture(out)",
        ["loss", "aux[0]", "aux[1]"],
    ),  # keys go first
    ("loss = W.sum()\ngraph = lab.capture(loss, names={'L': loss})", ["L"]),  # and so do names
    ("graph = lab.capture(W.sum())", [None]),
    ("a = W.sum()\ngraph = lab.capture(a + a)", [None]),
    ("a = [W.sum()]\ngraph = lab.capture(a[0])", [None]),
    ("a = W.sum()\nlook = lab.capture\ngraph = look(a)", [None]),  # it may be any function
    ("losses = [W.sum()]\ngraph, = map(lab.capture, losses)", [None]),
    ("a = W.sum()\ngraph = (lambda *given: lab.capture(*given))(a)", [None]),
]


@pytest.mark.parametrize(("text", "names"), HANDED_OVER)
def test_an_output_is_called_what_the_calling_line_calls_it(tmp_path, text, names):
    file = tmp_path / "step.py"
    file.write_text(text, "utf-8")
    known = {"W": W, "lab": lab, "types": __import__("types")}
    exec(compile(text, str(file), "exec"), known)
    assert [root.name for root in known["graph"].roots] == names


def test_a_picture_has_the_outputs_name():
    total = (W * 2).sum()
    assert "→ 0 (total)" in lab.render(total)
    assert "<b>total</b>" in lab.render(total, format="md")
    assert "(total)" in lab.render(lab.trace(total, retain_graph=True).graph)
    w = torch.tensor(2.0, requires_grad=True)
    square = w * w
    assert "∂square/∂·" in lab.render(square, view="scalar", names={"w": w})


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
