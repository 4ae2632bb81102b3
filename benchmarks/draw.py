"""How long pictures of big graphs take, from the live loss to the file: ``python benchmarks/draw.py``.

Wanted: 10,000 nodes to SVG in under 10 seconds on a machine with two cores. ``dot`` itself, asked for its own layout,
takes about two minutes for that; it is timed on the smaller graphs beside the lab's, where it ends.
"""

from __future__ import annotations

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


def seconds(call: Callable[..., object], *arguments: object, **options: object) -> float:
    started = time.perf_counter()
    call(*arguments, **options)
    return time.perf_counter() - started


def dots_own_layout(graph: lab.Graph) -> bytes:
    return graphviz.run(to_dot(graph_picture(graph)), "svg")


def main() -> None:
    torch.manual_seed(0)
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
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
