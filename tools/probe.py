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

CLOSE = 1e-5
PLAIN = {"AccumulateGrad", "AddmmBackward0", "TBackward0", "MeanBackward0", "SumBackward0", "MulBackward0",
         "AddBackward0", "PowBackward0", "ReluBackward0", "TanhBackward0", "ViewBackward0", "SubBackward0"}  # fmt: skip

Gradients = dict[str, torch.Tensor]
Train = Callable[[torch.Tensor, torch.nn.Module], Any]


def make_torchvision_importable() -> None:
    """Declares what torchvision's import asks for, where its compiled part doesn't load: PyPI's is built for CUDA."""
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float threshold) -> Tensor")


def load(path: str) -> ModuleType:
    """Returns a program's module."""
    make_torchvision_importable()
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
        self.train = getattr(module, "train", backward)
        self.around = getattr(module, "around", contextlib.nullcontext)

    def forward(self) -> tuple[torch.Tensor, torch.nn.Module]:
        """Returns the loss and the model."""
        torch.manual_seed(0)
        loss, model = self.build()
        return loss, model

    def gradients(self, train: Train | None = None) -> Gradients:
        """Returns the gradients of a whole step, made by the program's own ``train`` if by no other."""
        loss, model = self.forward()
        with self.around():
            (train or self.train)(loss, model)
        return gradients(model)


def backward(loss: torch.Tensor, _model: torch.nn.Module) -> None:
    """Trains a model whose program says no more."""
    loss.sum().backward()


def gradients(model: torch.nn.Module) -> Gradients:
    """Returns what is in ``.grad`` of each parameter, sharded ones whole."""
    found = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    return {name: getattr(each, "full_tensor", lambda each=each: each)() for name, each in found.items()}


def same(one: Gradients, two: Gradients) -> bool:
    """Returns whether gradients are the same, bit for bit."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def watched(program: Program, native: Gradients) -> tuple[str, list[lab.Trace]]:
    """Tries ``watch``."""
    with lab.watch() as watcher:
        found = program.gradients()
    problems = [] if same(found, native) else ["OTHER BITS"]
    problems += [f"NOT READ: {trace.unread}" for trace in watcher.traces if trace.unread]
    problems += [] if watcher.traces else ["nothing recorded"]
    return "; ".join(problems) or "same bits", watcher.traces


def traced(program: Program, _: Gradients) -> str:
    """Tries ``capture`` and ``trace`` on the loss."""
    native = program.gradients(backward)
    loss, model = program.forward()
    with program.around():
        graph = lab.capture(loss, model=model)
        trace = lab.trace(loss.sum(), model=model, stats="full")
    expected = {
        name.replace("_orig_mod.", "") for name in native
    }  # a compiled module is called as what it wraps
    unnamed = expected - {leaf.variable for leaf in graph.leaves}
    problems = [] if same(gradients(model), native) else ["OTHER BITS"]
    problems += [f"{len(unnamed)} PARAMETERS WITHOUT THEIR NAMES"] if unnamed else []
    problems += [] if trace.steps else ["NO STEPS"]
    return "; ".join(problems) or "same bits"


def checked(program: Program, _: Gradients) -> str:
    """Tries ``check_engine``."""
    loss, model = program.forward()
    with program.around():
        check = lab.check_engine(loss.sum(), model=model)
    print(check, file=sys.stderr)
    if check.difference is not None:
        return "runs only once" if check.difference.what == "runs_once" else "DIFFERENT"
    return "same order, same bits" if check.deterministic else "same order, same values"


def swapped(program: Program, native: Gradients) -> str:
    """Tries ``swap`` with every rule."""
    with lab.swap() as swap:
        found = program.gradients()
    print("calls", dict(swap.calls), "left", dict(swap.left), file=sys.stderr)
    if found.keys() != native.keys():
        return "OTHER GRADIENTS"
    apart = [float((found[name] - native[name]).abs().max()) for name in native if native[name].numel()]
    largest = max((float(each.abs().max()) for each in native.values() if each.numel()), default=0.0)
    if not max(apart, default=0.0) <= CLOSE * largest:
        return f"OFF BY {max(apart):.0e} OF {largest:.0e}"
    left = swap.left.total()
    return f"{swap.calls.total()} calls" + (f", {left} left to PyTorch" if left else "")


def drawn(program: Program, traces: list[lab.Trace]) -> str:
    """Tries a picture of what was watched."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.svg"
        if traces:
            lab.render(traces[-1], path, depth=2)
        else:
            lab.render(program.forward()[0], path)
        return "drawn" if b"</svg>" in path.read_bytes()[-100:] else "NOT WHOLE"


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what a call returned, or which exception it raised; the log has all of it."""
    try:
        return call(*arguments)
    except Exception as error:
        traceback.print_exc()
        return f"raises `{type(error).__name__}`"


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
        "backwards": len(traces),
        "inside": sum(trace.within is not None for trace in traces),
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
