"""MaxPool, AvgPool and AdaptiveAvgPool in PyTorch's place, on PyTorch's own samples and in modules."""

from __future__ import annotations

import agreement
import pytest
import swapped
import torch
from torch import nn
from torch.nn import functional

import autograd_lab as lab

RULES = ("max_pool", "avg_pool", "adaptive_avg_pool")
KINDS = ("max_pool", "avg_pool", "adaptive_avg_pool")
ENTRIES = tuple(f"nn.functional.{kind}{dims}d" for kind in KINDS for dims in (1, 2, 3))


def one_of(entry):
    """Of the thousands of samples of max pooling, each of some kind of window: every eighth."""
    return 8 if entry.name.startswith("nn.functional.max_pool") else 1


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    (count,) = swapped.agree(entry, dtype, RULES, [agreement.reverse], every=one_of(entry)).values()
    assert count > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    """All in double precision; a window's elements are chosen in any other as they are there."""
    every = 1 if dtype in swapped.DOUBLE else one_of(entry)
    parts = [agreement.reverse, agreement.forward, agreement.mapped]
    swapped.agree(entry, dtype, RULES, parts, every=every)


@pytest.mark.parametrize(
    ("module", "shape", "name"),
    [
        (nn.MaxPool1d(2), (1, 2, 5), "MaxPoolBackward"),
        (nn.MaxPool2d(3, 1, 1), (1, 2, 5, 4), "MaxPoolBackward"),
        (nn.MaxPool3d(2), (2, 4, 4, 4), "MaxPoolBackward"),
        (nn.AvgPool1d(2), (1, 2, 5), "AvgPoolBackward"),
        (nn.AvgPool2d(2, ceil_mode=True), (2, 5, 4), "AvgPoolBackward"),
        (nn.AvgPool3d(2), (1, 2, 4, 4, 4), "AvgPoolBackward"),
        (nn.AdaptiveAvgPool1d(3), (1, 2, 5), "AdaptiveAvgPoolBackward"),
        (nn.AdaptiveAvgPool2d(1), (1, 2, 5, 4), "AdaptiveAvgPoolBackward"),
        (nn.AdaptiveAvgPool2d((None, 3)), (1, 2, 5, 4), "AdaptiveAvgPoolBackward"),
        (nn.AdaptiveAvgPool3d(2), (1, 2, 3, 4, 4), "AdaptiveAvgPoolBackward"),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else str(value),
)
def test_modules_build_one_node_of_the_rule(module, shape, name):
    x = torch.randn(shape, requires_grad=True)
    with lab.swap(*RULES) as swap:
        graph = lab.capture(module(x))
    assert (sum(swap.calls.values()), swap.left) == (1, {})
    assert len(graph.find(name)) == 1


def test_the_places_come_back_and_can_be_unpooled():
    x = torch.randn(1, 1, 4, 4, requires_grad=True)

    def there_and_back(x):
        values, places = functional.max_pool2d(x, 2, return_indices=True)
        return functional.max_unpool2d(values, places, 2)

    def ours(x):
        with lab.swap("max_pool"):
            return there_and_back(x)

    agreement.agree(ours, there_and_back, [x], "unpooled", (agreement.reverse, agreement.forward))


@pytest.mark.parametrize("kind", ["nan", "inf"])
@pytest.mark.parametrize(
    "pool",
    [
        lambda x: functional.max_pool2d(x, 2, 1),
        lambda x: functional.avg_pool2d(x, 2, 1),
        lambda x: functional.adaptive_avg_pool2d(x, (3, 3)),
    ],
)
def test_what_is_not_finite_goes_where_pytorch_lets_it_go(pool, kind):
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 1, 2] = float(kind)
    x.requires_grad_()

    def grad(x):
        y = pool(x)
        weights = torch.ones_like(y)
        weights[0, 0, 0, 0] = float(kind)
        return torch.autograd.grad(y, x, weights)[0]

    wanted = grad(x)
    with lab.swap(*RULES):
        found = grad(x)
    assert wanted.isfinite().any()
    assert not wanted.isfinite().all()
    agreement.assert_same(found, wanted, kind)


def test_what_pytorch_refuses_is_refused_in_its_words():
    x = torch.randn(1, 2, 5, 5, requires_grad=True)
    for swap in (lab.swap("sub"), lab.swap(*RULES)):
        with swap, pytest.raises(RuntimeError, match="pad should be at most half of effective kernel size"):
            functional.max_pool2d(x, 2, padding=2)
        with swap, pytest.raises(RuntimeError, match="divisor must be not zero"):
            functional.avg_pool2d(x, 2, divisor_override=0)
