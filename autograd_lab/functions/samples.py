"""Inputs on which rules must agree with PyTorch: what generators of samples are made of.

Every sample is the same at every call.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((3, 1), (1, 4)),
    ((), (2, 2)),
    ((), ()),
    ((0, 3), (3,)),
)
"""Pairs of shapes: equal, put in front, stretched both ways, without dimensions, empty."""


SUBSETS = ((True, False, False), (False, True, False), (False, False, True), (False, True, True))
"""Which of three tensors need a gradient, where not all do: an input, a weight, a bias."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Arguments for a rule.

    Attributes:
        name: What is special about it.
        args: Arguments of ``apply``.
        smooth: Whether the function is smooth there, so that finite differences can check it.
        loose: Whether a Function may refuse them: their ranks differ from those of ``verify``'s inputs.
    """

    name: str
    args: tuple[Any, ...]
    smooth: bool = True
    loose: bool = False


def tensor(
    shape: tuple[int, ...], dtype: torch.dtype, *, seed: int = 0, low: float = -2, high: float = 2
) -> torch.Tensor:
    """Makes a leaf of random numbers, the same for the same seed; it requires a gradient."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.rand(shape, dtype=torch.float64, generator=generator) * (high - low) + low
    if dtype.is_complex:
        numbers = torch.complex(numbers, torch.rand(shape, dtype=torch.float64, generator=generator) * 2 - 1)
    return numbers.to(dtype).requires_grad_()


def pairs(dtype: torch.dtype, *, low: float = -2, high: float = 2) -> Iterator[Sample]:
    """Yields two tensors of all `SHAPES`; with one of them not requiring a gradient; and of several dtypes.

    Args:
        dtype: The first tensor's, and mostly the second's.
        low: The second's smallest number.
        high: Its largest.
    """
    for first, second in SHAPES:
        sizes = f"{list(first)} {list(second)}"
        yield Sample(sizes, (tensor(first, dtype), tensor(second, dtype, seed=1, low=low, high=high)))
    for needs in itertools.product((True, False), repeat=2):
        if any(needs) and not all(needs):
            values = tensor((2, 3), dtype), tensor((3,), dtype, seed=1, low=low, high=high)
            yield Sample(
                f"needs {needs}",
                tuple(value.requires_grad_(need) for value, need in zip(values, needs, strict=True)),
            )
    transposed = tensor((3, 2), dtype).detach().t().requires_grad_()
    yield Sample("not contiguous", (transposed, tensor((2, 3), dtype, seed=1, low=low, high=high)))
    wider = torch.complex128 if not dtype.is_complex else torch.float32
    yield Sample(f"with {wider}", (tensor((2,), dtype), tensor((2,), wider, seed=1, low=low, high=high)))


def needing(values: Sequence[torch.Tensor], needs: Sequence[bool]) -> list[torch.Tensor]:
    """Returns the same numbers as leaves, some of which require a gradient.

    Args:
        values: Tensors.
        needs: For each whether it requires a gradient.
    """
    return [value.detach().requires_grad_(need) for value, need in zip(values, needs, strict=True)]


def each_alone(args: tuple[Any, ...]) -> Iterator[Sample]:
    """Yields the same arguments again for each tensor that requires a gradient, with no other requiring one."""
    alone = [
        index for index, value in enumerate(args) if isinstance(value, torch.Tensor) and value.requires_grad
    ]
    for one in alone:
        yield Sample(
            f"needs {one} alone",
            tuple(
                value.detach().requires_grad_(index == one) if index in alone else value
                for index, value in enumerate(args)
            ),
        )
