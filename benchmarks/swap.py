"""Times a GPT-2 training step with the lab's rules beside PyTorch's own, both in one go.

    python benchmarks/swap.py [--tokens 128] [--rounds 5]

The model has the shape of the 124 M one (``transformers.GPT2Config()``), with random weights. Steps take turns, so
that a busy machine is fair to all, and the fastest of each counts.
"""

from __future__ import annotations

import argparse
import contextlib
import time

import torch
import transformers

import autograd_lab as lab


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    ids = torch.randint(0, 50257, (1, options.tokens))

    def step(around) -> float:
        model.zero_grad()
        started = time.perf_counter()
        with around:
            model(input_ids=ids, labels=ids).loss.backward()
        return time.perf_counter() - started

    swaps = {"native": None, "mul, sub, pow": ("mul", "sub", "pow"), "all rules": ()}
    times: dict[str, list[float]] = {name: [] for name in swaps}
    for round_ in range(options.rounds + 1):
        for name, rules in swaps.items():
            taken = step(contextlib.nullcontext() if rules is None else lab.swap(*rules))
            if round_:  # the first one warms up
                times[name].append(taken)
    native = min(times["native"])
    for name, taken in times.items():
        print(f"{name:16} {min(taken) * 1000:8.1f} ms   {min(taken) / native:.3f} x")


if __name__ == "__main__":
    main()
