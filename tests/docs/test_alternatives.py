"""What stands in a picture's place for readers who don't see it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import autograd_lab as lab
from autograd_lab.draw.plots import frame
from autograd_lab.tour import plot

EXTENSIONS = Path(__file__).parent.parent.parent / "docs" / "_ext"


@pytest.fixture
def describe(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    import alternatives

    yield alternatives.describe
    del sys.modules["alternatives"]


def test_a_graph_names_its_boxes(describe):
    w = torch.tensor(0.0, requires_grad=True)
    loss = (w * 2 - 4) ** 2
    svg = lab.render(loss, format="svg", names={"w": w, "loss": loss})
    assert describe(svg) == (
        "The backward graph of loss: 4 nodes, 1 leaf among them; arrows point the way gradients go. "
        "Boxes: loss, PowBackward0, SubBackward0, MulBackward0, w"
    )


def test_a_large_graph_says_how_much_more_there_is(describe):
    chain = torch.ones(1, requires_grad=True)
    for _ in range(40):
        chain = chain.sin()
    assert describe(lab.render(chain, format="svg")).endswith(", SinBackward0 and 30 more")  # of 42 boxes


def test_a_plot_has_its_words_but_no_ticks(describe):
    figure, axes = plot("Loss & weight", x="w", y="loss")
    axes.semilogy([1, 2], [1e-3, 1e3], label="a line")
    axes.legend()
    description = describe(frame.write(figure, "svg").decode("utf-8"))
    assert description.startswith("Plot: ")
    assert set(description.removeprefix("Plot: ").split(", ")) == {"Loss & weight", "w", "loss", "a line"}


def test_a_picture_without_words_has_no_description(describe):
    assert describe("<svg><path d='M0,0'/></svg>") == ""
