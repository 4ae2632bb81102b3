"""Whether a rule and PyTorch agree on one call: forward, gradients, second order, forward mode, vmap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

ULPS = 4
"""How far a rule may be from PyTorch. Mostly it's none: the formulas are the same; sums may be ordered otherwise."""


def assert_same(found: Any, wanted: Any, what: str, ulps: float = ULPS, room: float = 0) -> None:
    """Equal within ulps, or within ``room`` roundings of the largest number: what cancels loses no more than that."""
    assert (found is None) == (wanted is None), f"{what}: {found} and {wanted}"
    if wanted is None:
        return
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), what
    if not wanted.dtype.is_floating_point and not wanted.dtype.is_complex:
        assert torch.equal(found, wanted), what
        return
    eps = torch.finfo(wanted.dtype).eps
    finite = wanted.abs()[wanted.isfinite()]
    atol = eps * max(ulps, room * (finite.max().item() if finite.numel() else 0))
    torch.testing.assert_close(
        found, wanted, rtol=ulps * eps, atol=atol, equal_nan=True, msg=lambda text: f"{what}: {text}"
    )


def noise(like: torch.Tensor, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    dtype = torch.complex128 if like.is_complex() else torch.float64
    return torch.randn(like.shape, dtype=dtype, generator=generator).to(like.dtype)


def outputs(made: Any) -> Sequence[torch.Tensor]:
    """The result, and what comes with it and has no gradient: the places of largest elements, say."""
    return (made,) if isinstance(made, torch.Tensor) else made


def fresh(values: Sequence[Any]) -> list[Any]:
    """The same values as leaves of their own; one that is there twice stays one."""
    made: dict[int, torch.Tensor] = {}
    for value in values:
        if isinstance(value, torch.Tensor):
            made[id(value)] = value.detach().requires_grad_(value.requires_grad)
    return [made.get(id(value), value) for value in values]


def leaves(values: Sequence[Any]) -> list[torch.Tensor]:
    found = {id(v): v for v in values if isinstance(v, torch.Tensor) and v.requires_grad}
    return list(found.values())


def gradients(function: Callable[..., torch.Tensor], values: Sequence[Any]) -> list[torch.Tensor | None]:
    """The result and its gradients."""
    values = fresh(values)
    result = function(*values)
    return [
        result.detach(),
        *torch.autograd.grad(result, leaves(values), noise(result, 1), allow_unused=True),
    ]


def reverse(function: Callable[..., torch.Tensor], values: Sequence[Any]) -> list[torch.Tensor | None]:
    """The result, its gradients, and the gradients of those."""
    values = fresh(values)
    inputs = leaves(values)
    result, *others = outputs(function(*values))
    if not result.requires_grad:
        return [result.detach(), *others]
    cotangent = noise(result, 1).requires_grad_()
    grads = torch.autograd.grad(result, inputs, cotangent, create_graph=True, allow_unused=True)
    found = [result.detach(), *others, *(None if g is None else g.detach() for g in grads)]
    second = [g for g in grads if g is not None and g.requires_grad]
    if second:
        ways = [noise(g, 2 + i) for i, g in enumerate(second)]
        found += torch.autograd.grad(
            second, [*inputs, cotangent], ways, allow_unused=True, materialize_grads=True
        )
    return found


def forward(function: Callable[..., torch.Tensor], values: Sequence[Any]) -> list[torch.Tensor | None]:
    """The tangent for each input alone, and for all together."""
    inputs = leaves(values)
    found = []
    for moved in [*([one] for one in inputs), inputs]:
        with forward_ad.dual_level():
            duals = {id(v): forward_ad.make_dual(v.detach(), noise(v, 7)) for v in moved}
            args = [duals.get(id(v), v.detach() if isinstance(v, torch.Tensor) else v) for v in values]
            found.append(forward_ad.unpack_dual(outputs(function(*args))[0]).tangent)
    return found


def measured_in(value: Any) -> bool:
    """Whether a value is a tensor with roundings."""
    return isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex())


def copies(value: torch.Tensor, dim: int) -> torch.Tensor:
    """Three copies, each with other numbers; indices and masks stay what they are."""
    numbers = value.is_floating_point() or value.is_complex()
    return torch.stack([value.detach() * k if numbers else value for k in (1, 2, 3)], dim)


def mapped(function: Callable[..., torch.Tensor], values: Sequence[Any]) -> list[torch.Tensor]:
    """The result of a vmap over three copies of the inputs, with gradients; over all, over each alone, at the end."""
    tensors = [i for i, v in enumerate(values) if isinstance(v, torch.Tensor)]
    found = []
    for chosen, dim in [(tensors, 0), (tensors, -1), *(([index], 0) for index in tensors)]:
        dims = [dim if i in chosen else None for i in range(len(values))]
        args = [copies(v, dim) if i in chosen else v for i, v in enumerate(fresh(values))]
        for index in chosen:
            if args[index].is_floating_point() or args[index].is_complex():
                args[index].requires_grad_(values[index].requires_grad)
        result, *others = outputs(torch.vmap(function, tuple(dims))(*args))
        found += [result.detach(), *others]
        if result.requires_grad:
            found += torch.autograd.grad(result, leaves(args), noise(result, 3), materialize_grads=True)
    return found


def agree(
    ours: Callable[..., Any],
    native: Callable[..., Any],
    values: Sequence[Any],
    name: str,
    parts: Any,
    ulps: float = ULPS,
    room: float = 0,
) -> None:
    for part in parts:
        for index, (found, wanted) in enumerate(zip(part(ours, values), part(native, values), strict=True)):
            assert_same(found, wanted, f"{name}, {part.__name__} {index}", ulps, room)
