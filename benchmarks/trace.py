"""``lab.trace`` and ``lab.watch`` beside the plain run: ``python benchmarks/trace.py``.

1. GPT-2 of 124 M parameters from its ``transformers`` configuration (random weights, 128 tokens). Each round times, in
   an order that changes from round to round, the plain backward, ``trace(stats=None)``, ``trace(stats="norm")`` and the
   plain backward again, whose ratio shows how far the machine is to be trusted; and forward and backward together,
   plain, under ``watch``, and under one that traces nothing. Wanted: at most 1.03 and 1.10; 1.15, and nothing worth
   measuring.
2. A graph of tiny operations: ``trace(stats=None)`` beside torch's own
   ``torch.autograd.graph._register_logging_hooks_on_whole_graph`` with its logger on. Wanted: at most 1.
3. Training steps of small models under a watch that traces nothing any more, since its ``limit`` is reached, beside the
   plain ones, in processor time. Wanted: at most 1.03.

What is shown is told in ``rounds.py``.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from rich.console import Console
from rounds import Timed, gpt2, in_turn, seconds, table

import autograd_lab as lab


def large(rounds: int, console: Console, device: str) -> None:
    model, tokens = gpt2(device, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)

    def loss() -> torch.Tensor:
        model.zero_grad()
        return model(tokens, labels=tokens).loss

    def backward(run: Callable[[torch.Tensor], object]) -> Timed:
        def timed() -> float:
            made = loss()
            return seconds(lambda: run(made))

        return timed

    def watched(limit: int | None) -> None:
        with lab.watch(model, limit=limit):
            loss().backward()

    backwards = {
        "loss.backward()": backward(lambda made: made.backward()),
        "trace(stats=None)": backward(lambda made: lab.trace(made, model=model, stats=None)),
        'trace(stats="norm")': backward(lambda made: lab.trace(made, model=model)),
        "loss.backward() again": backward(lambda made: made.backward()),
    }
    console.print(
        table(
            f"GPT-2, {len(lab.capture(loss()))} nodes: backward, ms",
            in_turn(backwards, rounds),
            1e-3,
            {"trace(stats=None)": "1.03", 'trace(stats="norm")': "1.10"},
        )
    )
    steps = {
        "forward and backward": lambda: seconds(lambda: loss().backward()),
        "with watch(model)": lambda: seconds(lambda: watched(None)),
        "with watch(model, limit=0)": lambda: seconds(lambda: watched(0)),
    }
    console.print(
        table(
            "GPT-2: forward and backward, ms",
            in_turn(steps, rounds),
            1e-3,
            {"with watch(model)": "1.15", "with watch(model, limit=0)": "1"},
        )
    )


def tiny(rounds: int, console: Console, length: int = 2_000) -> None:
    leaf = torch.ones(1, requires_grad=True)

    def chain() -> torch.Tensor:
        made = leaf
        for _ in range(length // 2):
            made = made * 1.0 + leaf
        return made

    def logged() -> float:
        log, made = torch.autograd.graph.log, chain()
        level, terminal, nowhere = log.level, os.dup(2), os.open(os.devnull, os.O_WRONLY)
        log.setLevel(logging.DEBUG)  # as TORCH_LOGS="autograd" does
        os.dup2(nowhere, 2)
        try:
            return seconds(made.backward)
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            os.close(nowhere)
            log.setLevel(level)

    def traced() -> float:
        made = chain()
        return seconds(lambda: lab.trace(made, stats=None))

    def plain() -> float:
        return seconds(chain().backward)

    times = in_turn(
        {"torch's logging hooks": logged, "trace(stats=None)": traced, "loss.backward()": plain}, rounds
    )
    console.print(
        table(f"{length} tiny operations, µs a node", times, 1e-6 * length, {"trace(stats=None)": "1"})
    )


class Small(NamedTuple):
    """A small model, an input, and how many steps are timed together."""

    name: str
    model: torch.nn.Module
    batch: torch.Tensor
    steps: int


def smalls() -> list[Small]:
    torch.manual_seed(0)
    nn = torch.nn
    mlp = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    narrow = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(narrow, 4, enable_nested_tensor=False)
    tour = nn.Sequential(nn.Embedding(20, 32), encoder, nn.Linear(32, 20))
    return [
        Small("MLP of 3 layers", mlp, torch.randn(32, 32), 30),
        Small("transformer, 4 layers of 64", nn.TransformerEncoder(layer, 4), torch.randn(8, 32, 64), 2),
        Small("the tour's model, chapter 15", tour, torch.randint(20, (16, 12)), 3),
    ]


def over(rounds: int, console: Console) -> None:
    """In processor time: some percent of a step are less than what other programs take away from it."""
    gc.freeze()  # so that collecting before each turn is quick
    for small in smalls():
        runs = {"steps": partial(steps, small), "after the limit": partial(passed_by, small)}
        console.print(
            table(f"{small.name}: a step, ms", in_turn(runs, rounds), 1e-3, {"after the limit": "1.03"})
        )


def steps(small: Small) -> float:
    optimizer = torch.optim.SGD(small.model.parameters(), lr=1e-6)

    def step() -> None:
        optimizer.zero_grad()
        small.model(small.batch).square().mean().backward()
        optimizer.step()

    step()
    return seconds(lambda: [step() for _ in range(small.steps)], time.process_time) / small.steps


def passed_by(small: Small) -> float:
    """The same in a watch that traces the first one."""
    with lab.watch(small.model, limit=1):
        return steps(small)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=("large", "tiny", "over"))
    parser.add_argument("--device", default="cpu", help="where GPT-2 is, say cuda")
    arguments = parser.parse_args()
    console = Console(width=100)
    if arguments.only in (None, "large"):
        large(arguments.rounds, console, arguments.device)
    if arguments.only in (None, "tiny"):
        tiny(max(arguments.rounds, 15), console)
    if arguments.only in (None, "over"):
        over(max(arguments.rounds, 31), console)


if __name__ == "__main__":
    main()
