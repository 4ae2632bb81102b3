"""``lab.replay`` beside the native engine: ``python benchmarks/engine.py``.

1. GPT-2 of 124 M parameters from its ``transformers`` configuration (random weights, 128 tokens), in turn with
   ``loss.backward(retain_graph=True)``. Wanted: at most 1.10.
2. A chain of tiny operations. Wanted: at most 4.

Both also once any hook was registered in the process, when the engine has to ask torch about each tensor's hooks (Note
[Tensor hooks] in ``_torch/glass.py``).

What is shown is the median of each, and the median of the ratios within a round. ``replay`` also captures the graph,
saved tensors and all, which the native engine has no need of; ``Engine.run`` is the engine alone.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

import autograd_lab as lab


def gpt2() -> tuple[torch.nn.Module, torch.Tensor]:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config()
    model = GPT2LMHeadModel(config)
    tokens = torch.randint(0, config.vocab_size, (1, 128))
    return model, model(tokens, labels=tokens).loss


def chain(length: int) -> tuple[torch.nn.Module, torch.Tensor]:
    holder = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(()))])
    value = holder[0]
    for _ in range(length):
        value = value * 1.0001
    return holder, value


def seconds(run: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        made = run()
        took = time.perf_counter() - began
        del made  # giving memory back isn't timed: a plain backward's result stays in .grad
        return took
    finally:
        gc.enable()


def compare(title: str, model: torch.nn.Module, loss: torch.Tensor, rounds: int, wanted: str) -> Table:
    """Runs all in each round, each time in another order; the first round isn't counted."""

    def run_only() -> float:
        engine = lab.Engine(loss, stats=None)
        return seconds(engine.run)

    contestants: dict[str, Callable[[], float]] = {
        "loss.backward()": lambda: seconds(lambda: loss.backward(retain_graph=True)),
        "Engine.run(), stats=None": run_only,
        "replay(stats=None)": lambda: seconds(lambda: lab.replay(loss, stats=None)),
        "replay()": lambda: seconds(lambda: lab.replay(loss)),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds + 1):
        for name in names[turn % 4 :] + names[: turn % 4]:
            model.zero_grad()
            took = contestants[name]()
            if turn:
                times[name].append(took)
    shown = Table("run", "ms", "ratio", "wanted", title=title)
    native = times["loss.backward()"]
    for name, each in times.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(each, native, strict=True))
        limit = wanted if name == "Engine.run(), stats=None" else ""
        shown.add_row(name, f"{statistics.median(each) * 1e3:.4g}", f"{ratio:.3f}", limit)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["gpt2", "chain"])
    chosen = parser.parse_args()
    console = Console()
    graphs = {
        "gpt2": ("GPT-2, 124 M", gpt2, "1.10"),
        "chain": ("a chain of 10,000 tiny operations", lambda: chain(10_000), "4"),
    }
    timed = [graphs[chosen.only]] if chosen.only else list(graphs.values())
    for title, make, wanted in timed:
        console.print(compare(title, *make(), chosen.rounds, wanted))
    torch.ones(1, requires_grad=True).register_hook(lambda _: None).remove()
    for title, make, _ in timed:
        console.print(compare(f"{title}, once there was a hook", *make(), chosen.rounds, ""))


if __name__ == "__main__":
    main()
