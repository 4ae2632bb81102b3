"""What is made of a gradient before a slot gets it: its shape, dtype and device, or a refusal."""

from __future__ import annotations

import models
import pytest
import torch

import autograd_lab as lab


def returning(grad):
    """A Function whose backward returns this, whatever comes."""

    class Returns(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, _):
            return grad.clone()

    return Returns


def both(make):
    """The gradient that a leaf gets from the native engine, and from the glass engine."""
    grads = []
    for run in ("native", "glass"):
        leaf, loss, given = make()
        if run == "native":
            torch.autograd.backward(loss, given)
            grads.append(leaf.grad)
        else:
            grads.append(lab.replay(loss, grad_tensors=given, names={"leaf": leaf}).grads["leaf"])
    return grads


def leaf_with(grad, *, shape=(3,), **options):
    """Makes a leaf to which such a gradient is sent."""

    def make():
        leaf = torch.ones(shape, requires_grad=True, **options)
        output = returning(grad).apply(leaf)
        return leaf, output, torch.ones_like(output)

    return make


@pytest.mark.parametrize(
    ("shape", "slot"),
    [
        ((4, 3), (3,)),
        ((4, 3), (1, 3)),
        ((4, 3), (4, 1)),
        ((2, 4, 3), (1, 1, 3)),
        ((4, 3), ()),
        ((0, 3), (3,)),
    ],
)
def test_what_was_broadcast_is_summed(shape, slot):
    native, glass = both(leaf_with(torch.randn(shape), shape=slot))
    assert glass.shape == slot
    assert models.raw_bytes(glass) == models.raw_bytes(native)


@pytest.mark.parametrize(
    ("came", "wanted"),
    [
        (torch.float64, torch.float32), (torch.float32, torch.bfloat16), (torch.int64, torch.float32),
        (torch.float32, torch.complex64), (torch.complex128, torch.complex64),
    ],
)  # fmt: skip
def test_another_dtype_is_cast(came, wanted):
    native, glass = both(leaf_with(torch.tensor([1, 2, 3], dtype=came), dtype=wanted))
    assert glass.dtype is wanted
    assert models.raw_bytes(glass) == models.raw_bytes(native)


@pytest.mark.parametrize(
    ("came", "wanted"), [(torch.complex64, torch.float32), (torch.int64, torch.complex64)]
)
def test_a_dtype_that_the_engine_does_not_cast_is_refused(came, wanted):
    leaf, output, given = leaf_with(torch.ones(3, dtype=came), dtype=wanted)()
    with pytest.raises(RuntimeError) as native:
        torch.autograd.backward(output, given, retain_graph=True)
    with pytest.raises(lab.GradientError) as glass:
        lab.replay(output, grad_tensors=given)
    assert str(glass.value) == str(native.value)
    assert leaf.grad is None


@pytest.mark.parametrize("asked", [torch.float64, None])
def test_a_leaf_may_ask_for_another_dtype(asked):
    def make():
        leaf = torch.ones(3, requires_grad=True)
        leaf.grad_dtype = asked
        output = returning(torch.ones(3, dtype=torch.float64) / 3).apply(leaf)
        return leaf, output, torch.ones_like(output)

    native, glass = both(make)
    assert glass.dtype is native.dtype is torch.float64
    assert models.raw_bytes(glass) == models.raw_bytes(native)


def test_a_scalar_is_moved_to_the_slots_device_and_nothing_else():
    native, glass = both(leaf_with(torch.ones(()), shape=(), device="meta"))
    assert glass.device == native.device == torch.device("meta")
    _, output, given = leaf_with(torch.ones(3), device="meta")()
    with pytest.raises(RuntimeError) as expected:
        torch.autograd.backward(output, given, retain_graph=True)
    with pytest.raises(lab.GradientError) as found:
        lab.replay(output, grad_tensors=given)
    assert str(found.value) == str(expected.value)


def test_a_start_is_made_to_fit_too():
    def make():
        leaf = torch.ones(3, requires_grad=True)
        return leaf, leaf, torch.ones(3, dtype=torch.float64) / 3

    native, glass = both(make)
    assert glass.dtype is native.dtype is torch.float32
    assert models.raw_bytes(glass) == models.raw_bytes(native)


@pytest.mark.parametrize("fits", [False, True])
@pytest.mark.parametrize("roots", [1, 2])
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_a_start_with_a_graph_of_its_own_keeps_it_where_it_does_natively(enabled, create_graph, roots, fits):
    runs = []
    for run in (torch.autograd.backward, lab.replay):
        seen = []
        y = torch.ones(3, requires_grad=True) * 2
        y.register_hook(lambda g, seen=seen: seen.append(g.grad_fn and g.grad_fn.name()))
        given = torch.ones(3, dtype=torch.float32 if fits else torch.float64, requires_grad=True)
        with torch.set_grad_enabled(enabled):
            run([y] * roots, grad_tensors=[given] * roots, create_graph=create_graph)
        runs.append(seen)
    assert runs[0] == runs[1]
