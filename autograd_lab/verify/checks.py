"""The checks: each takes a subject and says, for all samples it applies to, whether one thing holds."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch.autograd import forward_ad
from torch.autograd.gradcheck import GradcheckError

from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch import saved as _saved
from autograd_lab.records import Mismatch
from autograd_lab.verify.compare import distance, largest, mismatch
from autograd_lab.verify.faults import kind
from autograd_lab.verify.subject import Args, Call, Sample, Subject

Tensors = tuple[torch.Tensor, ...]


class Fault(NamedTuple):
    """What one sample shows to be wrong."""

    message: str
    mismatch: Mismatch | None = None


Try = Callable[[Subject, Sample], Fault | float | None]
"""Tries one sample. If all is well: how many ulps the numbers were apart at most, ``None`` where none were compared."""


# --- what the checks are made of -----------------------------------------------------------


def outputs_of(call: Call, args: Args) -> Tensors:
    """Calls, and gives the floating outputs."""
    made = call(*args)
    found = made if isinstance(made, tuple | list) else (made,)
    return tuple(each for each in found if isinstance(each, torch.Tensor) and _is_float(each))


def leaves_of(args: Args) -> list[torch.Tensor]:
    """Gives each tensor that a gradient is wanted for, once."""
    return list(
        {id(arg): arg for arg in args if isinstance(arg, torch.Tensor) and arg.requires_grad}.values()
    )


def weights_for(outputs: Tensors) -> Tensors:
    """Makes a gradient for each output: no two elements alike, the same each time."""
    made = []
    for number, output in enumerate(outputs):
        steps = torch.arange(1, output.numel() + 1, dtype=torch.float64).reshape(output.shape)
        made.append((torch.cos(steps + number) + 1.5).to(output.device, output.dtype))
    return tuple(made)


def gradients_of(call: Call, args: Args, *, create_graph: bool = False) -> list[torch.Tensor | None]:
    """Gives the gradient of each leaf, the outputs weighted by ``weights_for``."""
    outputs = [output for output in outputs_of(call, args) if output.requires_grad]
    if not outputs:
        return [None] * len(leaves_of(args))
    weights = weights_for(tuple(outputs))
    if create_graph:
        weights = tuple(weight.requires_grad_() for weight in weights)
    return list(
        torch.autograd.grad(outputs, leaves_of(args), weights, allow_unused=True, create_graph=create_graph)
    )


def part(
    found: Sequence[torch.Tensor | None],
    expected: Sequence[torch.Tensor | None],
    args: Sequence[Any],
    what: str,
    size: float = 0.0,
) -> Fault | float | None:
    """Says how the first gradients that differ do so; or how many ulps those that agree are apart at most.

    ``size`` is that of the numbers they were computed from, where it may be larger: what cancels leaves their rounding.
    """
    for at, (want, came) in enumerate(zip(expected, found, strict=True)):
        where = mismatch(f"{what} {at}", want, came, size)
        if where is not None:
            return Fault(f"the {what} {at} {kind(at, expected, found, args)}", where)
    apart = [distance(want, came)[0] for want, came in zip(expected, found, strict=True)]
    return max((ulps for ulps in apart if ulps is not None), default=None)


def told(found: Fault | float | None, tell: Callable[[str], str]) -> Fault | float | None:
    """Tells a fault in other words."""
    return Fault(tell(found.message), found.mismatch) if isinstance(found, Fault) else found


def _is_float(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


# --- what is tried -------------------------------------------------------------------------


def forward(subject: Subject, sample: Sample) -> Fault | float | None:
    """The result is PyTorch's."""
    assert subject.native is not None
    with torch.no_grad():
        expected = outputs_of(subject.native, sample.args)
    return part(outputs_of(subject.call, sample.args), expected, (), "output")


def untouched(subject: Subject, sample: Sample) -> Fault | None:
    """Neither forward nor backward changes what it's given."""
    tensors = [arg for arg in sample.args if isinstance(arg, torch.Tensor)]
    copies = [tensor.detach().clone() for tensor in tensors]
    versions = [_saved.version(tensor) for tensor in tensors]
    outputs = [output for output in outputs_of(subject.call, sample.args) if output.requires_grad]
    kept = [output.detach().clone() for output in outputs]
    weights = weights_for(tuple(outputs))
    before = [weight.clone() for weight in weights]
    if outputs and leaves_of(sample.args):
        torch.autograd.grad(outputs, leaves_of(sample.args), weights, allow_unused=True)
    for at, (tensor, copy, version) in enumerate(zip(tensors, copies, versions, strict=True)):
        if _saved.version(tensor) != version or mismatch("", copy, tensor.detach()) is not None:
            return Fault(f"it changes input {at} in place", mismatch(f"input {at}", copy, tensor.detach()))
    for name, copied, now in (("gradient it is given", before, weights), ("result after", kept, outputs)):
        for copy, tensor in zip(copied, now, strict=True):
            where = mismatch(name, copy, tensor.detach())
            if where is not None:
                return Fault(f"its backward changes in place the {name}", where)
    return None


def gradients(subject: Subject, sample: Sample) -> Fault | float | None:
    """Each gradient is PyTorch's."""
    assert subject.native is not None
    expected = gradients_of(subject.native, sample.args)
    return part(
        gradients_of(subject.call, sample.args), expected, leaves_of(sample.args), "gradient of input"
    )


def finite_differences(subject: Subject, sample: Sample) -> Fault | None:
    """Each gradient is the slope that finite differences find (``torch.autograd.gradcheck``).

    Where the result isn't a number (the root of a negative one) there's no slope to find.
    """
    if not all(output.isfinite().all() for output in outputs_of(subject.call, sample.args)):
        return None
    try:
        torch.autograd.gradcheck(lambda *args: outputs_of(subject.call, args), sample.args, fast_mode=True)
    except GradcheckError as error:
        # What follows is about gradcheck's own fast mode.
        said, _, _ = str(error).partition("The above quantities relating")
        return Fault(f"finite differences find another slope: {_line(said)}")
    return None


def again(subject: Subject, sample: Sample) -> Fault | float | None:
    """A second backward over the same graph gives the same: nothing saved was changed."""
    outputs = [output for output in outputs_of(subject.call, sample.args) if output.requires_grad]
    leaves, weights = leaves_of(sample.args), weights_for(tuple(outputs))
    if not outputs or not leaves:
        return None
    first = torch.autograd.grad(outputs, leaves, weights, allow_unused=True, retain_graph=True)
    try:
        second = torch.autograd.grad(outputs, leaves, weights, allow_unused=True, retain_graph=True)
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            return Fault("a second backward is refused: the first changed a saved tensor in place")
        raise
    return told(
        part(second, first, leaves, "gradient of input"),
        lambda _: "a second backward gives another gradient: the first changed a saved tensor",
    )


def second_order(subject: Subject, sample: Sample) -> Fault | float | None:
    """The gradients' own gradients are PyTorch's."""
    assert subject.native is not None

    def slopes(call: Call) -> tuple[torch.Tensor, ...]:
        made = gradients_of(call, sample.args, create_graph=True)
        return tuple(grad for grad in made if grad is not None and grad.requires_grad)

    first = slopes(subject.native)
    expected = _second(first, sample.args)
    if expected is None:
        return None
    ours = slopes(subject.call)
    found = _second(ours, sample.args)
    if found is None and ours and not any(each.count_nonzero() for each in expected if each is not None):
        # Neither depends on the inputs: PyTorch says so with zeros, a Function with None. That it can be differentiated
        # shows on the way to the weights, which are the only leaves within reach.
        torch.autograd.backward(ours, weights_for(ours))
        return None
    if found is None:
        return Fault(
            "its backward can't be differentiated: it leaves autograd (detach, no_grad, once_differentiable)"
        )
    return part(found, expected, leaves_of(sample.args), "second-order gradient of input", largest(first))


def _second(slopes: Tensors, args: Args) -> list[torch.Tensor | None] | None:
    if not slopes:
        return None
    leaves = leaves_of(args)
    made = torch.autograd.grad(slopes, leaves, weights_for(slopes), allow_unused=True)
    if all(grad is None for grad in made):
        return None
    return [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, made, strict=True)]


def forward_mode(subject: Subject, sample: Sample) -> Fault | float | None:
    """The tangents are PyTorch's."""
    assert subject.native is not None
    expected = _tangents(subject.native, sample.args)
    return part(_tangents(subject.call, sample.args), expected, (), "tangent of output")


def _tangents(call: Call, args: Args) -> list[torch.Tensor | None]:
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch scripts its decompositions on first use
        duals = tuple(
            forward_ad.make_dual(  # type: ignore[no-untyped-call]
                arg.detach(), weights_for((arg.detach(),))[0]
            )
            if isinstance(arg, torch.Tensor) and arg.requires_grad
            else arg
            for arg in args
        )
        outputs = outputs_of(call, duals)
        tangents = [forward_ad.unpack_dual(each).tangent for each in outputs]  # type: ignore[no-untyped-call]
        return [None if tangent is None else tangent.clone() for tangent in tangents]


def batched(subject: Subject, sample: Sample) -> Fault | float | None:
    """Under ``vmap`` it gives for a batch what it gives for each of its members."""
    batch = [torch.stack((arg.detach(), arg.detach() * 0.5)) if _is_leaf(arg) else arg for arg in sample.args]
    dims = tuple(0 if _is_leaf(arg) else None for arg in sample.args)
    if not any(dim == 0 for dim in dims):
        return None
    with warnings.catch_warnings():  # torch says where its own vmap is slow: no matter here
        warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
        whole = outputs_of(torch.func.vmap(subject.call, in_dims=dims), tuple(batch))
    one_by_one = [
        outputs_of(
            subject.call, tuple(arg[at] if dim == 0 else arg for arg, dim in zip(batch, dims, strict=True))
        )
        for at in range(2)
    ]
    expected = tuple(torch.stack(members) for members in zip(*one_by_one, strict=True))
    return told(part(whole, expected, (), "output"), lambda message: f"under vmap {message}")


def needed(subject: Subject, sample: Sample) -> Fault | float | None:
    """Whichever inputs need a gradient, theirs are the same."""
    places = [at for at, arg in enumerate(sample.args) if _is_leaf(arg)]
    leaves = leaves_of(sample.args)
    if len(leaves) < len(places):
        return None  # one tensor twice: its gradient is a sum of two
    whole = dict(zip(map(id, leaves), gradients_of(subject.call, sample.args), strict=True))
    for wanted in _subsets(places):
        args = tuple(
            arg.detach().requires_grad_(at in wanted) if at in places else arg
            for at, arg in enumerate(sample.args)
        )
        found = gradients_of(subject.call, args)
        expected = [whole[id(sample.args[at])] for at in wanted]
        told_so = told(
            part(found, expected, leaves_of(args), "gradient of input"),
            lambda message, wanted=wanted: (  # type: ignore[misc]
                f"where only {_listed(wanted)} of the inputs need a gradient, {message}"
            ),
        )
        if isinstance(told_so, Fault):
            return told_so
    return None


def _subsets(places: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(
        itertools.combinations(places, size) for size in range(1, len(places))
    )


def shapes(subject: Subject, sample: Sample) -> Fault | None:
    """What its backward returns has each input's shape, before the engine makes it so."""
    given = subject.call(*sample.args)
    outputs = given if isinstance(given, tuple | list) else (given,)
    differentiable = [output for output in outputs if _is_leaf(output)]
    if len(differentiable) != 1 or differentiable[0].grad_fn is None:
        return None
    weights = [weights_for((output,))[0] if _is_leaf(output) else None for output in outputs]
    made = _nodes.run(differentiable[0].grad_fn, weights)
    for at, (arg, grad) in enumerate(zip(sample.args, made, strict=False)):
        if _is_leaf(arg) and grad is not None and grad.shape != arg.shape:
            return Fault(
                f"it forgets the unbroadcast: for input {at} of shape {tuple(arg.shape)} its backward returns "
                f"{tuple(grad.shape)}; the engine sums that, other callers don't"
            )
    return None


def freed(subject: Subject, sample: Sample) -> Fault | None:
    """What it saved is let go after a backward: nothing is kept on ``ctx`` itself."""
    outputs = [output for output in outputs_of(subject.call, sample.args) if output.requires_grad]
    if not outputs or outputs[0].grad_fn is None:
        return None
    kept = [
        name for name, value in _nodes.own_attributes(outputs[0].grad_fn) if isinstance(value, torch.Tensor)
    ]
    if kept:
        return Fault(
            f"it keeps tensors on ctx ({', '.join(kept)}), where nothing frees them; use ctx.save_for_backward"
        )
    return None


def _is_leaf(arg: Any) -> bool:
    return isinstance(arg, torch.Tensor) and arg.requires_grad


def _listed(places: Sequence[int]) -> str:
    return " and ".join(map(str, places))


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
