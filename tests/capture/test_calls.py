"""What a callable is called, and the line of its ``def``."""

from __future__ import annotations

import linecache

import pytest
import torch
from models import leaves

import autograd_lab as lab
from autograd_lab.capture.calls import source_of


def same(*_options):
    return lambda call: call


class Plain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class Decorated(Plain):
    @staticmethod
    @same(
        "def",
    )
    # a comment
    @torch.no_grad()
    @same()
    def forward(ctx, x):
        return x * 2


class OnOneLine(Plain):
    @staticmethod
    def forward(ctx, x): return x * 2  # fmt: skip


class SetUp(Plain):
    @staticmethod
    def forward(x):
        return x * 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass


class Inherited(Decorated):
    pass


class Lambda(Plain):
    forward = staticmethod(lambda ctx, x: x * 2)


@pytest.mark.parametrize("function", [Plain, Decorated, OnOneLine, SetUp, Inherited, Lambda])
def test_a_functions_line_is_its_def_forward(function):
    (x,) = leaves(1, 2)
    with lab.watch() as watcher:
        function.apply(x).sum().backward()
    for graph in (lab.capture(function.apply(x).sum()), watcher.traces[0].graph):
        found = graph.find(f"{function.__name__}Backward")[0].source
        line = linecache.getline(found.file, found.line).strip()
        assert line.startswith("forward = " if function is Lambda else "def forward(")


def test_a_hooks_line_is_its_def():
    @same()
    @same()
    def hook(grad):
        return grad

    async def later():
        pass

    (x,) = leaves(1, 2)
    x.register_hook(hook)
    found = lab.capture(x.sum()).leaves[0].hooks[0].source
    assert linecache.getline(found.file, found.line).strip() == "def hook(grad):"
    found = source_of(same()(later))
    assert linecache.getline(found.file, found.line).strip() == "async def later():"


def test_code_whose_file_is_gone_has_the_line_that_python_knows():
    made = {}
    exec(compile("\n\ndef hook(grad):\n    return grad\n", "gone.py", "exec"), made)
    assert source_of(made["hook"]) == lab.records.Source("gone.py", 3, "hook")
