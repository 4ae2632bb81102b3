"""What layers for images say about shapes: channels are the second dimension, and one number may stand for several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, overload

import torch

Sizes: TypeAlias = Sequence[int]
"""A number for each dimension that a window moves along; or one for all of them, as ATen takes it too."""


def spread(sizes: Sizes, dims: int) -> list[int]:
    """Returns a number for each dimension where one stood for all.

    Example:
        >>> spread([2], 3), spread([2, 1], 2)
        ([2, 2, 2], [2, 1])
    """
    return list(sizes) * dims if len(sizes) == 1 else list(sizes)


def others(input: torch.Tensor) -> list[int]:
    """All dimensions but the channels'.

    Example:
        >>> others(torch.zeros(4, 3, 8, 8))
        [0, 2, 3]
    """
    return [0, *range(2, input.dim())]


@overload
def per_channel(value: torch.Tensor, input: torch.Tensor) -> torch.Tensor: ...
@overload
def per_channel(value: None, input: torch.Tensor) -> None: ...
def per_channel(value: torch.Tensor | None, input: torch.Tensor) -> torch.Tensor | None:
    """Returns one number for each channel, in the shape in which it meets the input.

    Args:
        value: Shape ``[C]``; ``None`` stays ``None``.
        input: Shape ``[N, C, ...]``.

    Returns:
        Shape ``[1, C, 1, ...]``.

    Example:
        >>> per_channel(torch.zeros(3), torch.zeros(4, 3, 8, 8)).shape
        torch.Size([1, 3, 1, 1])
    """
    return None if value is None else value.view(1, -1, *(1,) * (input.dim() - 2))
