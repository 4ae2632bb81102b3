"""On which inputs something is verified: those that were passed, and others like them on which functions go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from autograd_lab.functions.samples import Sample
from autograd_lab.verify.results import Args, Callee, copies, is_float


def made_up(count: int, seed: int) -> Args:
    """Makes default inputs: random matrices, bounded away from zero."""
    generator = torch.Generator(device="cpu").manual_seed(seed)
    return tuple(
        (torch.rand(3, 4, generator=generator, dtype=torch.float64, device="cpu") + 0.5).requires_grad_()
        for _ in range(count)
    )


def variations(args: Args, native: Callee | None, in_place: bool = False) -> Iterator[Sample]:
    """Yields the inputs that were passed, and others like them on which functions go wrong.

    Where PyTorch can't compute an input either (a matrix product of a tensor with itself), it isn't given.

    Args:
        args: The arguments as passed.
        native: See ``Subject``.
        in_place: Whether some are changed in place, so that none can be broadcast.

    Returns:
        Samples.
    """
    yield Sample("as given", args)
    floats = [
        index
        for index, arg in enumerate(args)
        if is_float(arg) and arg.layout is torch.strided and arg.numel()
    ]
    for name, smooth, changed in _changes(args, floats):
        if native is None or _runs(native, changed):
            other = _shapes(changed) != _shapes(args) if in_place else _ranks(changed) != _ranks(args)
            yield Sample(name, changed, smooth, other)


def _changes(args: Args, floats: Sequence[int]) -> Iterator[tuple[str, bool, Args]]:
    yield "not contiguous", True, _with(args, floats, _strided)
    # equal rows are where many functions have ties: no place to measure a slope at
    yield "expanded", False, _with(args, floats, _expanded)
    yield "with a zero", False, _with(args, floats, _zeroed)
    yield "negative", True, _with(args, floats, lambda tensor: -tensor)
    yield "empty", True, _with(args, floats, lambda tensor: tensor[:0] if tensor.dim() else tensor)
    yield "without dimensions", True, _with(args, floats, lambda tensor: tensor.reshape(-1)[0].clone())
    for index in floats:
        if args[index].dim():
            yield f"input {index} broadcast", True, _with(args, [index], lambda tensor: tensor[:1])
            yield (
                f"input {index} without dimensions",
                True,
                _with(args, [index], lambda tensor: tensor.reshape(-1)[0]),
            )
    wanting = [index for index in floats if args[index].requires_grad]
    if len(wanting) > 1:
        yield (
            "an input twice",
            True,
            tuple(args[wanting[0]] if index in wanting else arg for index, arg in enumerate(args)),
        )
    if not any(args[index].is_complex() for index in floats):
        for name, cast in _OTHER_DTYPES.items():
            yield name, False, _with(args, floats, cast)


_OTHER_DTYPES: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "in float32": torch.Tensor.float,
    "in bfloat16": torch.Tensor.bfloat16,
}


def refused(samples: Sequence[Sample], call: Callee) -> dict[str, str]:
    """Finds samples in other dtypes that the forward itself rejects; it never promised to accept them.

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


def _shapes(args: Args) -> list[torch.Size]:
    return [arg.shape for arg in args if isinstance(arg, torch.Tensor)]


def _ranks(args: Args) -> list[int]:
    return [arg.dim() for arg in args if isinstance(arg, torch.Tensor)]


def _with(args: Args, indices: Sequence[int], change: Callable[[torch.Tensor], torch.Tensor]) -> Args:
    """The arguments with those of some indices changed; each is a leaf that requires what the old one required."""
    return tuple(
        change(arg.detach()).requires_grad_(arg.requires_grad) if index in indices else arg
        for index, arg in enumerate(args)
    )


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    return torch.stack((tensor, tensor), dim=-1)[..., 0]


def _expanded(tensor: torch.Tensor) -> torch.Tensor:
    """All rows are one row in memory."""
    return tensor[:1].expand_as(tensor) if tensor.dim() else tensor


def _zeroed(tensor: torch.Tensor) -> torch.Tensor:
    changed = tensor.clone()
    changed.reshape(-1)[:1] = 0
    return changed


def _runs(native: Callee, args: Args) -> bool:
    """Returns whether PyTorch computes it: what it refuses, nobody has to compute."""
    return _refusal(native, args) is None


def _refusal(call: Callee, args: Args) -> str | None:
    try:
        call(*copies(args))
    except Exception as error:  # a warning too, where the user's settings make it one
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return None
