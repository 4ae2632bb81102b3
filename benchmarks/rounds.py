"""What the benchmarks that run in rounds share: the model, the clock, whose turn it is, and the table.

The garbage collector is off while the clock runs, as in ``timeit``. What a table shows is the median of each, and the
median of the ratios within a round, with its standard error (by resampling the rounds).
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable

import torch
from rich.table import Table

Timed = Callable[[], float]


def gpt2(device: str = "cpu", **config: float) -> tuple[torch.nn.Module, torch.Tensor]:
    """GPT-2 of 124 M parameters from its ``transformers`` configuration (random weights), and 128 tokens."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    made = GPT2Config(**config)
    return GPT2LMHeadModel(made).to(device), torch.randint(0, made.vocab_size, (1, 128), device=device)


def seconds(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    gc.collect()
    gc.disable()
    wait()
    try:
        began = clock()
        made = run()
        wait()
        took = clock() - began
        del made  # giving memory back isn't timed: a plain backward's result stays in .grad
        return took
    finally:
        gc.enable()


def wait() -> None:
    """Until the GPU has done what it was given, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def in_turn(contestants: dict[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Runs all of them in each round, each time in another order, and gives the times but the first round's."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            took = contestants[name]()
            if turn:
                times[name].append(took)
    return times


def table(title: str, times: dict[str, list[float]], unit: float, wanted: dict[str, str]) -> Table:
    """The first one is what the others are compared with."""
    shown = Table("run", "time", "ratio", "wanted", title=title)
    first = next(iter(times.values()))
    for name, each in times.items():
        ratios = [time / other for time, other in zip(each, first, strict=True)]
        ratio = "1" if each is first else f"{statistics.median(ratios):.3f} ± {error_of_median(ratios):.3f}"
        shown.add_row(name, f"{statistics.median(each) / unit:.4g}", ratio, wanted.get(name, ""))
    return shown


def error_of_median(values: list[float]) -> float:
    """How far the median of so many values scatters: what the medians of samples drawn from them do."""
    draw = random.Random(0)
    return statistics.stdev(statistics.median(draw.choices(values, k=len(values))) for _ in range(1_000))
