"""``lab.capture`` beside ``torchviz.make_dot``, in one run: ``python benchmarks/capture.py``.

Each row times, on the same live loss and in turn, round after round:

- ``capture(loss, model=model)``, with everything that it records, saved tensors included;
- ``make_dot(loss, params=…)``, which draws nodes and edges;
- ``make_dot(loss, params=…, show_saved=True, show_attrs=True)``, which draws saved tensors and scalars too.

What is shown is the median of each, per node, and the ratios of the medians. Wanted: at most 1 against the
first, at most 0.25 against the second, for 20 to 1,000 nodes. A last table shows that the time is linear: chains
of growing length, each in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import torch
import torchviz
from rich.console import Console
from rich.table import Table
from torch import nn

import autograd_lab as lab

CHAIN = """
import resource, time, torch, autograd_lab as lab
y = torch.ones(1, requires_grad=True)
for _ in range({length}):
    y = y * 1.0
started = time.perf_counter()
graph = lab.capture(y)
took = time.perf_counter() - started
assert len(graph) == {length} + 1
del graph, y
print(took)
"""


class Residual(nn.Module):
    """Convolutions with batch norm and skip connections."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(blocks))
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = x + torch.relu(norm(convolution(x)))
        return x


def models() -> Iterator[tuple[str, nn.Module, torch.Tensor]]:
    """Models of about 20 to 1,000 nodes."""
    widths = [8, 16, 16, 16, 1]
    layers = [layer for a, b in itertools.pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    yield "MLP, 4 layers", nn.Sequential(*layers), torch.randn(4, 8)
    yield "residual CNN, 4 blocks", Residual(4), torch.randn(1, 8, 6, 6)
    yield "residual CNN, 20 blocks", Residual(20), torch.randn(1, 8, 6, 6)
    for count in (1, 6, 13):
        encoder = [nn.TransformerEncoderLayer(32, 4, 64, batch_first=True) for _ in range(count)]
        yield f"transformer, {count} layers", nn.Sequential(*encoder), torch.randn(2, 5, 32)


def alternate(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Times calls in turn, so that a slow moment of the machine hits all of them; gives medians in seconds."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, taken in zip(calls, times, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


def compare(rounds: int, *, hooked: bool) -> Table:
    title = "microseconds per node" + (", after a hook was registered somewhere" if hooked else "")
    columns = ("model", "nodes", "capture", "make_dot", "… with saved", "to make_dot", "to … with saved")
    table = Table(*columns, title=title)
    for name, model, x in models():
        loss = model(x).sum()
        count = len(lab.capture(loss))
        medians = alternate(
            [
                lambda: lab.capture(loss, model=model),  # noqa: B023 - called before the next round
                lambda: torchviz.make_dot(loss, params=dict(model.named_parameters())),  # noqa: B023
                lambda: torchviz.make_dot(
                    loss, params=dict(model.named_parameters()), show_saved=True, show_attrs=True  # noqa: B023
                ),
            ],
            rounds,
        )  # fmt: skip
        captured, drawn, drawn_saved = medians
        per_node = [f"{median / count * 1e6:.1f}" for median in medians]
        table.add_row(name, str(count), *per_node, f"{captured / drawn:.2f}", f"{captured / drawn_saved:.2f}")
    return table


def chains() -> Table:
    table = Table("operations", "seconds", "µs per node", title="capture of a chain")
    for length in (10_000, 100_000, 1_000_000):
        command = [sys.executable, "-c", CHAIN.format(length=length)]
        seconds = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        table.add_row(f"{length:,}", f"{seconds:.2f}", f"{seconds / length * 1e6:.1f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    console = Console(width=110)
    console.print(compare(rounds, hooked=False))
    torch.ones(1, requires_grad=True).register_hook(print).remove()
    console.print(compare(rounds, hooked=True))
    console.print(chains())


if __name__ == "__main__":
    main()
