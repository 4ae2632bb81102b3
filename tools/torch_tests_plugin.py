"""A pytest plugin: runs every test with the lab around it, in the way that ``TORCH_TESTS`` names.

See ``torch_tests.py``. Each way is a context manager that is entered when a test is called.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest
import torch

import autograd_lab as lab
from autograd_lab._torch import engine as _engine
from autograd_lab.errors import GraphError


@contextlib.contextmanager
def in_the_engine() -> Iterator[None]:
    """Has the lab's engine run every backward, where torch would start its own.

    What has no graph goes to torch's: whether that is an error, and which, torch says. So do batches of gradients,
    which ``watch`` leaves alone too: they are wrappers of torch's, made for its own formulas.
    """
    native = torch.autograd._engine_run_backward  # type: ignore[attr-defined]

    def run(outputs: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        started = Started(*args, **kwargs)
        if any(map(_engine.is_batched, (*outputs, *started.grad_tensors))):
            return native(outputs, *args, **kwargs)
        try:
            engine = started.engine(outputs)
        except GraphError:
            return native(outputs, *args, **kwargs)
        engine.run()
        return started.result(engine)

    torch.autograd._engine_run_backward = run  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.autograd._engine_run_backward = native  # type: ignore[attr-defined]


class Started(NamedTuple):
    """What torch starts its engine with, besides the outputs."""

    grad_tensors: Sequence[torch.Tensor | None]
    keep_graph: bool
    create_graph: bool
    inputs: Sequence[Any]
    allow_unreachable: bool = False
    accumulate_grad: bool = False

    def engine(self, outputs: Sequence[Any]) -> lab.Engine:
        """Returns the lab's engine, about to run the same backward."""
        return lab.Engine(
            list(outputs),
            grad_tensors=list(self.grad_tensors),
            inputs=list(self.inputs) or None,
            create_graph=self.create_graph,
            stats=None,
            accumulate=self.accumulate_grad,
        )

    def result(self, engine: lab.Engine) -> tuple[torch.Tensor | None, ...] | None:
        """Returns what torch's engine would, now that the lab's has run."""
        if self.accumulate_grad:
            return None
        found = tuple(engine.grads.get(f"inputs[{number}]") for number in range(len(self.inputs)))
        if not self.allow_unreachable and any(grad is None for grad in found):
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        return found


WAYS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "plain": contextlib.nullcontext,
    "watched": lab.watch,
    "watched closely": lambda: lab.watch(stats="full", forward="stats", keep="all"),
    "swapped": lab.swap,
    "engine": in_the_engine,
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Enters the way around each test."""
    with WAYS[os.environ["TORCH_TESTS"]]():
        yield
