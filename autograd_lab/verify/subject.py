"""What is verified, and on which inputs.

Note [The reference]
A Function's forward is itself made of torch operations. Run as it stands, without ``apply``, PyTorch differentiates it
by its own rules: that's the native gradient which the Function's backward must agree with, in every order and every
dtype, with nothing for the user to write. Where the forward leaves autograd (NumPy, ``detach``, an extension), pass
``native``; without it, finite differences alone are left.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

Args = tuple[Any, ...]
Call = Callable[..., Any]


class Sample(NamedTuple):
    """Arguments for the subject.

    Attributes:
        name: What is special about them.
        args: The arguments.
        smooth: Whether finite differences can be trusted there.
        loose: Whether their ranks are others than those of the inputs passed: that a Function refuses them is no fault.
    """

    name: str
    args: Args
    smooth: bool = True
    loose: bool = False


class Subject(NamedTuple):
    """What is verified.

    Attributes:
        name: What a report calls it.
        call: Computes it, with the gradients in question.
        native: Computes the same with PyTorch's own gradients; ``None`` where there is no way.
        function: The Function, if it is one.
        samples: Inputs.
    """

    name: str
    call: Call
    native: Call | None
    function: type[torch.autograd.Function] | None
    samples: tuple[Sample, ...]


class _Context:
    """Stands for ``ctx`` where only the forward's result is wanted: takes whatever is put on it."""

    needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Takes them and forgets them."""

    save_for_forward = mark_non_differentiable = mark_dirty = save_for_backward

    def set_materialize_grads(self, value: bool) -> None:
        """Takes it and forgets it."""


def reference(function: type[torch.autograd.Function]) -> Call:
    """Gives a Function's forward as a plain computation. See Note [The reference]."""
    modern = function.setup_context is not torch.autograd.Function.setup_context

    def native(*args: Any) -> Any:
        if modern:
            return function.forward(*args)
        ctx = _Context()
        ctx.needs_input_grad = tuple(isinstance(arg, torch.Tensor) and arg.requires_grad for arg in args)
        return function.forward(ctx, *args)

    return native


def parameters(function: type[torch.autograd.Function]) -> int:
    """Counts the arguments that a Function's forward must have, ``ctx`` aside."""
    modern = function.setup_context is not torch.autograd.Function.setup_context
    found = [
        parameter
        for parameter in inspect.signature(function.forward).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return len(found) - (not modern)


def made_up(count: int, seed: int) -> Args:
    """Makes inputs for who gave none: matrices of random numbers, none of them near zero."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        (torch.rand(3, 4, generator=generator, dtype=torch.float64) + 0.5).requires_grad_()
        for _ in range(count)
    )


def variations(args: Args, native: Call | None) -> Iterator[Sample]:
    """Gives the inputs that were passed, and others like them on which functions go wrong.

    Where PyTorch can't compute an input either (a matrix product of a tensor with itself), it isn't given.

    Args:
        args: The arguments as passed.
        native: See ``Subject``.

    Returns:
        Samples.
    """
    yield Sample("as given", args)
    places = [at for at, arg in enumerate(args) if _is_float(arg)]
    for name, smooth, changed in _changes(args, places):
        if native is None or _runs(native, changed):
            yield Sample(name, changed, smooth, _ranks(changed) != _ranks(args))


def _changes(args: Args, places: Sequence[int]) -> Iterator[tuple[str, bool, Args]]:
    yield "not contiguous", True, _with(args, places, _strided)
    yield "with a zero", False, _with(args, places, _zeroed)
    yield "negative", True, _with(args, places, lambda tensor: -tensor)
    yield "empty", True, _with(args, places, lambda tensor: tensor[:0] if tensor.dim() else tensor)
    yield "without dimensions", True, _with(args, places, lambda tensor: tensor.reshape(-1)[0].clone())
    for at in places:
        if args[at].dim():
            yield f"input {at} broadcast", True, _with(args, [at], lambda tensor: tensor[:1])
            yield (
                f"input {at} without dimensions",
                True,
                _with(args, [at], lambda tensor: tensor.reshape(-1)[0]),
            )
    if len(places) > 1:
        first = args[places[0]]
        yield "an input twice", True, tuple(first if at in places else arg for at, arg in enumerate(args))
    if not any(args[at].is_complex() for at in places):
        for name, cast in _OTHER_DTYPES.items():
            yield name, False, _with(args, places, cast)


_OTHER_DTYPES: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "in float32": torch.Tensor.float,
    "in bfloat16": torch.Tensor.bfloat16,
}


def refused(samples: Sequence[Sample], call: Call) -> dict[str, str]:
    """Finds the samples of another dtype than was passed that the forward itself refuses: nobody said that it takes it.

    Args:
        samples: All samples.
        call: What is verified.

    Returns:
        What the forward says, by the sample's name.
    """
    found = {}
    for sample in samples:
        if sample.name in _OTHER_DTYPES and (said := _refusal(call, sample.args)) is not None:
            found[sample.name] = said
    return found


def _ranks(args: Args) -> list[int]:
    return [arg.dim() for arg in args if isinstance(arg, torch.Tensor)]


def _with(args: Args, places: Sequence[int], change: Callable[[torch.Tensor], torch.Tensor]) -> Args:
    """The arguments with those at some places changed; each is a leaf that requires what the old one required."""
    return tuple(
        change(arg.detach()).requires_grad_(arg.requires_grad) if at in places else arg
        for at, arg in enumerate(args)
    )


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    return torch.stack((tensor, tensor), dim=-1)[..., 0]


def _zeroed(tensor: torch.Tensor) -> torch.Tensor:
    changed = tensor.clone()
    changed.reshape(-1)[:1] = 0
    return changed


def _is_float(arg: Any) -> bool:
    return isinstance(arg, torch.Tensor) and (arg.is_floating_point() or arg.is_complex())


def _runs(native: Call, args: Args) -> bool:
    """Whether PyTorch computes it: what it refuses, nobody has to compute."""
    return _refusal(native, args) is None


def _refusal(call: Call, args: Args) -> str | None:
    try:
        call(*args)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return None
