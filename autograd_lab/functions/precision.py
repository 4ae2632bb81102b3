"""Half precision: computed in single precision, rounded once at the end, as PyTorch's kernels do."""

from __future__ import annotations

import torch

HALF = (torch.float16, torch.bfloat16)


def wide(value: torch.Tensor) -> torch.Tensor:
    """Gives half-precision numbers in single precision; others as they are.

    A kernel that computes a whole formula in one go rounds once. A formula made of several operations would round
    after each, and where terms nearly cancel nothing right would be left.

    Args:
        value: A tensor.

    Returns:
        The same numbers.

    Example:
        >>> wide(torch.ones(1, dtype=torch.bfloat16)).dtype, wide(torch.ones(1, dtype=torch.float64)).dtype
        (torch.float32, torch.float64)
    """
    return value.float() if value.dtype in HALF else value
