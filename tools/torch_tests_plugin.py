"""A pytest plugin: runs every test with the lab around it, in the way that ``TORCH_TESTS`` names.

See ``torch_tests.py``. Each way is a context manager that is entered when a test is called.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import autograd_lab as lab


@contextlib.contextmanager
def in_the_engine() -> Iterator[None]:
    """Has the lab's engine run every backward, where torch would start its own."""
    native = torch.autograd._engine_run_backward  # type: ignore[attr-defined]

    def run(outputs: Any, *args: Any, **kwargs: Any) -> Any:
        grad_tensors, _keeps, create_graph, inputs = args
        accumulate = kwargs["accumulate_grad"]
        options: dict[str, Any] = {
            "grad_tensors": list(grad_tensors),
            "create_graph": create_graph,
            "stats": None,
        }
        engine = lab.Engine(list(outputs), inputs=list(inputs) or None, accumulate=accumulate, **options)
        engine.run()
        if accumulate:
            return None
        found = tuple(engine.grads.get(f"inputs[{number}]") for number in range(len(inputs)))
        if None in [type(each) for each in found] and not kwargs["allow_unreachable"]:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph."
            )
        return found

    torch.autograd._engine_run_backward = run  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.autograd._engine_run_backward = native  # type: ignore[attr-defined]


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
