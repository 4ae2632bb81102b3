"""``lab.replay`` beside the native engine: ``python benchmarks/engine.py``.

1. GPT-2 of 124 M parameters from its ``transformers`` configuration (random weights, 128 tokens), in turn with
   ``loss.backward(retain_graph=True)``. Wanted: at most 1.10.
2. A chain of tiny operations. Wanted: at most 4.

Both also once any hook was registered in the process, when the engine has to ask torch about each tensor's hooks (Note
[Tensor hooks] in ``_torch/glass.py``).

What is shown is told in ``rounds.py``. ``replay`` also captures the graph, saved tensors and all, which the native
engine has no need of; ``Engine.run`` is the engine alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from rounds import Timed, gpt2, in_turn, seconds, table

import autograd_lab as lab


def gpt2_loss() -> tuple[torch.nn.Module, torch.Tensor]:
    model, tokens = gpt2()
    return model, model(tokens, labels=tokens).loss


def chain(length: int) -> tuple[torch.nn.Module, torch.Tensor]:
    holder = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(()))])
    value = holder[0]
    for _ in range(length):
        value = value * 1.0001
    return holder, value


def compare(title: str, model: torch.nn.Module, loss: torch.Tensor, rounds: int, wanted: str) -> Table:
    def only(run: Callable[[], object]) -> Timed:
        def timed() -> float:
            model.zero_grad()
            return seconds(run)

        return timed

    def engine_only() -> float:
        model.zero_grad()
        engine = lab.Engine(loss, stats=None)
        return seconds(engine.run)

    contestants = {
        "loss.backward()": only(lambda: loss.backward(retain_graph=True)),
        "Engine.run(), stats=None": engine_only,
        "replay(stats=None)": only(lambda: lab.replay(loss, stats=None)),
        "replay()": only(lambda: lab.replay(loss)),
    }
    return table(f"{title}, ms", in_turn(contestants, rounds), 1e-3, {"Engine.run(), stats=None": wanted})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["gpt2", "chain"])
    chosen = parser.parse_args()
    console = Console()
    graphs = {
        "gpt2": ("GPT-2, 124 M", gpt2_loss, "1.10"),
        "chain": ("a chain of 10,000 tiny operations", lambda: chain(10_000), "4"),
    }
    timed = [graphs[chosen.only]] if chosen.only else list(graphs.values())
    for title, make, wanted in timed:
        console.print(compare(title, *make(), chosen.rounds, wanted))
    torch.ones(1, requires_grad=True).register_hook(lambda _: None).remove()
    for title, make, _ in timed:
        fewer = max(2, chosen.rounds // 3)  # nothing is wanted of these
        console.print(compare(f"{title}, once there was a hook", *make(), fewer, ""))


if __name__ == "__main__":
    main()
