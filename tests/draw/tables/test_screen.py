"""Every kind of table, of real records, fits its screen and breaks no number and no word."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator

import models
import pytest
import torch
from rich.cells import cell_len

import autograd_lab as lab
from autograd_lab import draw
from autograd_lab.backward.scalar import capture_scalar
from autograd_lab.cli.doctor import examine, report
from autograd_lab.draw.tables.modules import module_depth
from autograd_lab.records import Difference, EngineCheck

Table = Callable[[int], str]
"""Writes a table as wide as it's told."""

WIDTHS = (80, 100, 200)
UNBOUNDED = 100_000
NUMBER = re.compile(r"−?[\d,.]+(×10[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)?")
LIKE_OTHERS = {"bert_eager", "gpt2_eager", "compiled"}  # and they take seconds


def watched(case: models.Case, **options) -> lab.Watcher:
    """Runs a case's forward and backward under a watch; its graph is put into ``graph``."""
    with lab.watch(**options) as watcher:
        built = case.build()
        watcher.graph = watcher.capture(built.outputs, names=built.names)
        if case.numbers:
            models.backward(built.outputs)
    return watcher


def tables_of(case: models.Case) -> Iterator[Table]:
    watcher = watched(case, stats="full", kernels=case.name in ("mlp", "lstm"))
    assert watcher.traces or not case.numbers
    for record in (watcher.graph, *watcher.traces):
        graph = record.graph if isinstance(record, lab.Trace) else record
        deepest = module_depth(graph) or 0
        for depth, repeats in {(None, False), (0, False), (1, True), (deepest, False), (deepest, True)}:
            yield functools.partial(drawn, record, depth=depth, repeats=repeats)
    yield functools.partial(several, watcher.traces)


def drawn(record: lab.Graph | lab.Trace | lab.ScalarGraph, width: int, **options) -> str:
    table = {lab.Graph: draw.graph_table, lab.Trace: draw.trace_table, lab.ScalarGraph: draw.scalar_table}
    return table[type(record)](record, width=width, **options)


def several(traces: list[lab.Trace], width: int) -> str:
    return draw.traces_table(traces, width=width)


def assert_readable(table: Table) -> None:
    """Compares a table's words with those of the same table where there's room for everything."""
    whole = set(table(UNBOUNDED).split())
    for width in WIDTHS:
        text = table(width)
        for line in text.splitlines():
            assert cell_len(line) <= width, f"wider than {width}:\n{line}\nof\n{text}"
        for word in text.split():
            assert word in whole or shortens(word, whole), f"{word!r} is broken at {width} in\n{text}"


#: What is said only where something was left out.
OWN = {"no", "room", "for:"}


def shortens(word: str, whole: set[str]) -> bool:
    """Whether a word is ``start…end`` of a longer one that is no number, or the ruler, or names a column left out.

    Where that would be the same for two names, there's a piece in between, too.
    """
    start, cut, rest = word.partition("…")
    between, _, end = rest.rpartition("…")
    if not cut:
        return word in OWN or not word.strip("─") or word.rstrip(",") in whole
    starts = {each for each in whole if each.startswith(start) and between in each}
    ends = {each for each in whole if each.endswith(end)}  # of another word, where a name has several
    return bool(starts and ends) and not any(NUMBER.fullmatch(each) for each in starts & ends)


@pytest.mark.parametrize("name", sorted(set(models.CASES) - LIKE_OTHERS))
def test_graphs_and_traces(name):
    for table in tables_of(models.CASES[name]):
        assert_readable(table)


def test_numbers_by_the_chain_rule():
    built = models.CASES["seed"].build()
    record = capture_scalar(built.outputs, names=built.names)
    assert_readable(functools.partial(drawn, record))


def refused() -> lab.Trace:
    """A trace that was stopped, by an exception with a long message."""
    x = torch.ones(3, requires_grad=True)
    hidden = x.exp()
    loss = hidden.sum()
    hidden.add_(1)
    with pytest.raises(RuntimeError) as caught:
        lab.trace(loss, names={"x": x})
    return caught.value.autograd_lab_trace


def test_a_backward_that_raised():
    trace = refused()
    assert trace.error
    assert_readable(functools.partial(drawn, trace))
    assert_readable(functools.partial(several, [trace, trace]))


def test_parameters_without_a_gradient_and_many_outputs():
    model = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(30))
    outputs = {f"of layer number {i}": model[i](torch.ones(1, 2)).sum() for i in range(12)}
    assert_readable(functools.partial(drawn, lab.capture(outputs, model=model)))
    assert_readable(functools.partial(drawn, lab.trace(outputs, model=model)))


class Wrong(torch.autograd.Function):
    """Forgets the factor, keeps a tensor on ctx and doesn't reduce."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.y = y
        return x * y

    @staticmethod
    def backward(ctx, grad):
        return grad * 3 * ctx.y, grad


@pytest.mark.parametrize("target", [Wrong, "mul"])
def test_what_verify_found(target):
    inputs = [torch.rand(size, 4, dtype=torch.double, requires_grad=True) for size in (1, 3)]
    found = lab.verify(target, None if target == "mul" else inputs)
    assert_readable(lambda width: draw.verify_table(found, width=width))


@pytest.mark.parametrize(
    "check",
    [
        EngineCheck(3, 8),
        EngineCheck(3, 8, deterministic=False),
        EngineCheck(3, 8, Difference("order", 1, 2, "MulBackward0", None, "#1 " * 40, "#2 " * 40)),
        EngineCheck(3, 8, Difference("runs_once", None, None, None, None, "", "RuntimeError: again? " * 9)),
    ],
)
def test_what_check_engine_found(check):
    assert_readable(lambda width: draw.check_text(check, width=width))


def test_what_the_doctor_found():
    findings = list(examine())
    assert_readable(lambda width: report(findings, width=width))
