"""The checks of what torch makes of a Function: gradients of gradients, forward mode, vmap."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch.autograd import forward_ad

from autograd_lab.functions.samples import Sample
from autograd_lab.verify.checks import Fault, Found, NotTried, natively, part, told
from autograd_lab.verify.results import (
    Args,
    Callee,
    Taken,
    Tensors,
    copies,
    leaves_of,
    outputs_of,
    slopes_of,
    taken,
    wants,
    weights_for,
)
from autograd_lab.verify.subject import Subject
from autograd_lab.verify.terms import measure


def second_order(subject: Subject, sample: Sample) -> Found:
    """The gradients' own gradients are PyTorch's."""
    native = subject.native
    assert native is not None
    args = copies(sample.args)
    with natively():
        expected = _second(slopes_of(native, args), args)
    if expected is None:
        return None
    ours = slopes_of(subject.call, sample.args)
    found = _second(ours, sample.args)
    if found is None and ours and not any(each.count_nonzero() for each in expected if each is not None):
        # Neither depends on the inputs: PyTorch says so with zeros, a Function with None. That it can be differentiated
        # shows on the way to the weights, which are the only leaves within reach.
        torch.autograd.backward(ours, weights_for(ours))
        return None
    if found is None:
        return Fault("its backward can't be differentiated: it leaves autograd (detach, no_grad)")

    def terms() -> list[float]:
        again = copies(sample.args)
        slopes = slopes_of(native, again)
        measured = measure(slopes, weights_for(slopes))
        return [measured.leaf(leaf) for leaf in leaves_of(again)]

    return part(found, expected, leaves_of(sample.args), "second-order gradient of input", terms)


def _second(slopes: Tensors, args: Args) -> list[Taken | None] | None:
    """The gradients of first gradients; ``None`` if these depend on no leaf."""
    if not slopes:
        return None
    leaves = leaves_of(args)
    made = torch.autograd.grad(slopes, leaves, weights_for(slopes), allow_unused=True)
    if all(grad is None for grad in made):
        return None
    return taken(
        torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, made, strict=True)
    )


def forward_mode(subject: Subject, sample: Sample) -> Found:
    """The tangents are PyTorch's."""
    assert subject.native is not None
    with natively():
        expected = _tangents(subject.native, copies(sample.args))
    found = _tangents(subject.call, sample.args)
    if subject.function is None and all(tangent is None for tangent in found):
        return NotTried("forward mode doesn't reach through it: it gives no tangent")
    return part(found, expected, (), "tangent of output")


def _tangents(call: Callee, args: Args) -> list[Taken | None]:
    with warnings.catch_warnings(), forward_ad.dual_level():
        # torch scripts its decompositions on first use
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")
        duals = tuple(
            forward_ad.make_dual(arg.detach(), weights_for((arg.detach(),))[0])  # type: ignore[no-untyped-call]
            if wants(arg)
            else arg
            for arg in args
        )
        outputs = outputs_of(call, duals)
        return taken(forward_ad.unpack_dual(each).tangent for each in outputs)  # type: ignore[no-untyped-call]


def batched(subject: Subject, sample: Sample) -> Found:
    """Under ``vmap`` it gives for a batch what it gives for each of its members."""
    dims = tuple(0 if wants(arg) else None for arg in sample.args)
    if not any(dim == 0 for dim in dims):
        return None

    def batch() -> Args:
        return tuple(
            torch.stack((arg.detach(), arg.detach() * 0.5)) if wants(arg) else arg
            for arg in copies(sample.args)
        )

    with warnings.catch_warnings():  # torch says where its own vmap is slow: no matter here
        warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
        mapped = torch.func.vmap(
            lambda *args: outputs_of(subject.call, args), in_dims=dims, randomness="same"
        )
        whole = taken(mapped(*batch()))
    members = [taken(outputs_of(subject.call, each)) for each in _members(batch(), dims)]
    expected: list[Taken | None] = [
        Taken(torch.stack([each for each in results if each is not None]))
        for results in zip(*members, strict=True)
    ]
    return told(part(whole, expected, (), "output"), lambda message: f"under vmap {message}")


def _members(batch: Args, dims: tuple[int | None, ...]) -> Iterator[Args]:
    for i in range(2):
        yield tuple(arg[i] if dim == 0 else arg for arg, dim in zip(batch, dims, strict=True))
