"""Runs one program of ``works_with/`` beside the lab and prints, as JSON, what worked. See ``works_with.py``."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import autograd_lab as lab

PLAIN = {"AccumulateGrad", "AddmmBackward0", "TBackward0", "MeanBackward0", "SumBackward0", "MulBackward0",
         "AddBackward0", "PowBackward0", "ReluBackward0", "TanhBackward0", "ViewBackward0", "SubBackward0"}  # fmt: skip


def load(path: str) -> ModuleType:
    """Returns a program's module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Program:
    """One training step: built anew, with the same random numbers, as often as it is asked for."""

    def __init__(self, module: ModuleType) -> None:
        self.build = module.step
        self.train: Callable[[torch.Tensor], Any] = getattr(
            module, "train", lambda loss: loss.sum().backward()
        )
        self.around = getattr(module, "around", contextlib.nullcontext)

    def forward(self) -> tuple[torch.Tensor, torch.nn.Module]:
        """Returns the loss and the model."""
        torch.manual_seed(0)
        loss, model = self.build()
        return loss, model

    def gradients(self) -> dict[str, torch.Tensor]:
        """Returns the gradients of a whole step."""
        loss, model = self.forward()
        with self.around():
            self.train(loss)
        return gradients(model)


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Returns what is in ``.grad`` of each parameter, sharded ones whole."""
    found = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    return {name: getattr(each, "full_tensor", lambda each=each: each)() for name, each in found.items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    """Returns whether gradients are the same, bit for bit."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def watched(program: Program, native: dict[str, torch.Tensor]) -> tuple[str, list[lab.Trace]]:
    """Tries ``watch``."""
    with lab.watch() as watcher:
        found = program.gradients()
    return "same bits" if same(found, native) else "OTHER BITS", watcher.traces


def traced(program: Program, native: dict[str, torch.Tensor]) -> str:
    """Tries ``capture`` and ``trace``."""
    loss, model = program.forward()
    with program.around():
        graph = lab.capture(loss, model=model)
        trace = lab.trace(loss.sum(), model=model, stats="full")
    unnamed = [leaf.variable for leaf in graph.leaves if (leaf.variable or "").startswith("leaf")]
    bits = "same bits" if same(gradients(model), native) else "OTHER BITS"
    return (
        bits + (f"; {len(unnamed)} unnamed leaves" if unnamed else "") + ("" if trace.steps else "; no steps")
    )


def checked(program: Program, _: dict[str, torch.Tensor]) -> str:
    """Tries ``check_engine``."""
    loss, model = program.forward()
    with program.around():
        report = lab.check_engine(loss.sum(), model=model)
    return "same order, same bits" if report.ok else str(report).strip().splitlines()[-1]


def swapped(program: Program, native: dict[str, torch.Tensor]) -> str:
    """Tries ``swap`` with every rule."""
    with lab.swap() as swap:
        found = program.gradients()
    if found.keys() != native.keys():
        return "OTHER GRADIENTS"
    worst = max(
        (float((found[name] - native[name]).abs().max()) for name in native if native[name].numel()),
        default=0,
    )
    largest = max((float(each.abs().max()) for each in native.values() if each.numel()), default=0)
    left = f"; {sum(swap.left.values())} left" if swap.left else ""
    if worst <= 1e-5 * max(largest, 1e-12):
        return f"{sum(swap.calls.values())} calls{left}"
    return f"OFF BY {worst / largest:.0e}"


def drawn(program: Program, traces: list[lab.Trace]) -> str:
    """Tries a picture of what was watched."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.svg"
        if traces:
            lab.render(traces[-1], path, depth=2)
        else:
            lab.render(program.forward()[0], path)
        return f"{path.stat().st_size // 1024 + 1} kB"


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what a call returned, or its exception in a line."""
    try:
        return call(*arguments)
    except Exception as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {(str(error).strip() or ' ').splitlines()[0][:150]}"


def main(path: str) -> dict[str, Any]:
    """Returns all that is known of a program."""
    warnings.simplefilter("ignore")
    program = Program(load(path))
    native = program.gradients()
    again = same(program.gradients(), native)
    seen = tried(watched, program, native)
    watch, traces = seen if isinstance(seen, tuple) else (seen, [])
    nodes = Counter(node.name for trace in traces for node in trace.graph.nodes if node.name not in PLAIN)
    own = [
        node.name for trace in traces for node in trace.graph.nodes if node.kind in ("function", "compiled")
    ]
    return {
        "gradients": len(native),
        "repeatable": again,
        "nodes": sum(len(trace.graph.nodes) for trace in traces),
        "functions": sorted(set(own)),
        "rare": [name for name, _ in nodes.most_common() if name not in own],
        "watch": watch,
        "trace": tried(traced, program, native),
        "engine": tried(checked, program, native),
        "swap": tried(swapped, program, native),
        "picture": tried(drawn, program, traces),
    }


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        result = main(sys.argv[1])
    print(json.dumps(result))
