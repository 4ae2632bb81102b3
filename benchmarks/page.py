"""How long a page takes to write and how large it is: ``python benchmarks/page.py``.

Wanted on a machine with two cores: a transformer's trace of 10,000 nodes in under 3 s and 6 MB. Of a chain of 100,000
nodes and of a recurrent network of 1,000 steps the page shows what it folds.

torchvista's page of the same transformer stands beside it, where torchvista is installed; it is of the forward, as it
makes none of a backward. TorchLens draws with Graphviz and makes no page.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import autograd_lab as lab
from autograd_lab.draw.page.tree import MOST, tree
from autograd_lab.records import Trace


def transformer(layers: int) -> tuple[nn.Module, torch.Tensor]:
    """Pre-norm encoder layers with dropout, as they are trained: 76 nodes each."""
    blocks = [nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True) for _ in range(layers)]
    return nn.Sequential(*blocks), torch.randn(2, 5, 16)


def recurrent(steps: int) -> tuple[nn.Module, torch.Tensor]:
    class Unrolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(2, 2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            state = torch.zeros(1, 2)
            for each in inputs:
                state = self.cell(each, state)
            return state

    return Unrolled(), torch.randn(steps, 1, 2)


class Chain(nn.Module):
    """One operation after another, in one module."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        self.start = nn.Parameter(torch.ones(1))

    def forward(self, add: torch.Tensor) -> torch.Tensor:
        state = self.start + add
        for _ in range(self.length):
            state = state.sin()
        return state


def traced(model: nn.Module, inputs: torch.Tensor, *, stats: str = "norm") -> Trace:
    with lab.watch(model, stats=stats) as watcher:
        model(inputs).square().sum().backward()
    return watcher.traces[0]


def torchvistas(layers: int, path: Path) -> None:
    """Its page of the forward: operations, modules and shapes."""
    import torchvista

    model, inputs = transformer(layers)
    with contextlib.redirect_stdout(io.StringIO()):
        torchvista.trace_model(model, inputs, export_format="html", export_path=str(path))


def main() -> None:
    torch.manual_seed(0)
    programs = (
        ("transformer of 131 layers", lambda: traced(*transformer(131))),
        ("the same, stats='full'", lambda: traced(*transformer(131), stats="full")),
        ("GRU cell of 1,000 steps", lambda: traced(*recurrent(1_000))),
        ("chain of 100,000 operations", lambda: traced(Chain(100_000), torch.zeros(1))),
    )
    table = Table("program", "nodes", "wall, s", "CPU, s", "MB", "boxes", f"fullest (≤ {MOST})")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in programs:
            trace = make()
            began, worked = time.perf_counter(), time.process_time()
            path = Path(lab.render(trace, Path(folder) / "page.html"))
            took, worked = time.perf_counter() - began, time.process_time() - worked
            found = tree(trace.graph)
            children = Counter(found.box_of) + Counter(box.parent for box in found.boxes)
            table.add_row(
                name,
                f"{len(trace.graph):,}",
                f"{took:.2f}",
                f"{worked:.2f}",
                f"{path.stat().st_size / 1e6:.1f}",
                f"{len(found.boxes):,}",
                str(max(children.values())),
            )
        if importlib.util.find_spec("torchvista") is not None:
            for layers in (10, 131):
                began, worked = time.perf_counter(), time.process_time()
                torchvistas(layers, path := Path(folder) / f"torchvista{layers}.html")
                took, worked = time.perf_counter() - began, time.process_time() - worked
                size = f"{path.stat().st_size / 1e6:.1f}"
                name = f"torchvista, forward, {layers} layers"
                table.add_row(name, "–", f"{took:.2f}", f"{worked:.2f}", size, "–", "–")
    Console().print(table)


if __name__ == "__main__":
    main()
