r"""Half precision: computed in single precision, rounded once at the end, as PyTorch's kernels do.

Note [Half precision is computed in single]
A slope such as :math:`1 - z^2` cancels: two close numbers are subtracted, and what each lost when it was rounded
remains. In half precision that can be all of the slope. A kernel that computes a whole formula in one go rounds once; a
formula made of several operations would round after each. So half-precision numbers are widened to single, and the
result is rounded once, at the end.
"""

from __future__ import annotations

import torch

HALF = (torch.float16, torch.bfloat16)


def wide(value: torch.Tensor) -> torch.Tensor:
    """Returns half-precision numbers in single precision. See Note [Half precision is computed in single].

    Args:
        value: A tensor.

    Returns:
        The same numbers; others than those of half precision as they are.

    Example:
        >>> wide(torch.ones(1, dtype=torch.bfloat16)).dtype, wide(torch.ones(1, dtype=torch.float64)).dtype
        (torch.float32, torch.float64)
    """
    return value.float() if value.dtype in HALF else value
