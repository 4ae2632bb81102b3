"""How long pictures of big graphs take, from the live loss to the file: ``python benchmarks/draw.py``.

Wanted: 10,000 nodes to SVG in under 10 seconds on a machine with two cores. ``dot`` itself, asked for its own layout,
takes about two minutes for that; it is timed on the smaller graphs beside the lab's, where it ends.

The second table has graphs of other shapes, to which ``dot`` finds no end: each must become an SVG all the same. The
processor time is that of this process and of those that draw for it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import autograd_lab as lab
from autograd_lab.draw import graph_picture, to_dot
from autograd_lab.draw.native import graphviz

MOST_FOR_DOT = 2_000
"""Nodes above which ``dot`` isn't asked: it would take minutes."""


def encoder(layers: int) -> tuple[nn.Module, torch.Tensor]:
    blocks = [nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True) for _ in range(layers)]
    model = nn.Sequential(*blocks)
    return model, model(torch.randn(2, 5, 16)).sum()


def recurrent(steps: int) -> tuple[nn.Module, torch.Tensor]:
    """One cell, used again and again: each of its leaves has as many users as there are steps."""
    cell, state = nn.RNNCell(2, 2), torch.zeros(1, 2)
    for _ in range(steps):
        state = cell(torch.randn(1, 2), state)
    return cell, state.sum()


def copies(number: int) -> tuple[nn.Module, torch.Tensor]:
    """Small networks side by side."""
    networks = [nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU()) for _ in range(number)]
    model = nn.ModuleList(networks)
    return model, torch.stack([network(torch.randn(2, 4)).sum() for network in networks]).sum()


def reused(blocks: int, times: int) -> tuple[nn.Module, torch.Tensor]:
    """One stack of layers, run through several times."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(blocks)))
    state = torch.randn(1, 2)
    for _ in range(times):
        state = model(state)
    return model, state.sum()


def fan(leaves: int) -> tuple[None, torch.Tensor]:
    """Many leaves into one ``cat``."""
    return None, torch.cat([torch.ones(1, requires_grad=True) for _ in range(leaves)]).sum()


def chain(length: int) -> tuple[None, torch.Tensor]:
    """One operation after the other."""
    state = torch.ones(1, requires_grad=True)
    for _ in range(length):
        state = state.sin()
    return None, state.sum()


SHAPES: tuple[tuple[str, Callable[[], tuple[nn.Module | None, torch.Tensor]]], ...] = (
    ("RNN of 1,000 steps", lambda: recurrent(1_000)),
    ("20 copies of a network", lambda: copies(20)),
    ("10 layers, used 10 times", lambda: reused(10, 10)),
    ("1,000 leaves into one cat", lambda: fan(1_000)),
    ("100,000 leaves into one cat", lambda: fan(100_000)),
    ("chain of 100 operations", lambda: chain(100)),
    ("chain of 5,000 operations", lambda: chain(5_000)),
)


def processor() -> float:
    """Returns the seconds of processor time so far, those of children that have ended too."""
    return sum(os.times()[:4])


def seconds(call: Callable[..., object], *arguments: object, **options: object) -> float:
    started = time.perf_counter()
    call(*arguments, **options)
    return time.perf_counter() - started


def dots_own_layout(graph: lab.Graph) -> bytes:
    return graphviz.run(to_dot(graph_picture(graph)), "svg")


def by_size() -> Table:
    table = Table("layers", "nodes", "capture", "svg", "png", "dot's own layout", title="seconds")
    with tempfile.TemporaryDirectory() as folder:
        for layers in (6, 30, 179):
            model, loss = encoder(layers)
            graph = lab.capture(loss, model=model)
            small = len(graph) <= MOST_FOR_DOT
            taken = (
                seconds(lab.capture, loss, model=model),
                seconds(lab.render, graph, Path(folder) / "graph.svg"),
                seconds(lab.render, graph, Path(folder) / "graph.png"),
                seconds(dots_own_layout, graph) if small else None,
            )
            shown = ["–" if value is None else f"{value:.2f}" for value in taken]
            table.add_row(str(layers), f"{len(graph):,}", *shown)
    return table


def by_shape() -> Table:
    table = Table("shape", "nodes", "capture", "svg", "processor", title="seconds")
    with tempfile.TemporaryDirectory() as folder:
        for name, made in SHAPES:
            model, loss = made()
            started = processor()
            taken = (
                seconds(lab.capture, loss, model=model),
                seconds(lab.render, graph := lab.capture(loss, model=model), Path(folder) / "graph.svg"),
                processor() - started,
            )
            table.add_row(name, f"{len(graph):,}", *(f"{value:.2f}" for value in taken))
    return table


def main() -> None:
    torch.manual_seed(0)
    for table in (by_size, by_shape):
        Console(width=110).print(table())


if __name__ == "__main__":
    main()
