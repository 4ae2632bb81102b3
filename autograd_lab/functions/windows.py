r"""Windows over elements: which lie in which, and what each element gets back from them, explained once.

Note [Windows]
A window is a range of elements in each dimension. Along one dimension, write down every pair of a window and an element
in it. Pooling sums over the pairs of each window; its gradient sums over the pairs of each element, since what an
element gets is the sum over its uses (Note [Unbroadcast] in ``unbroadcast.py``). Both read the same list, one from the
left and one from the right. In several dimensions it's done in one after the other.

How many elements a window divides by is a matter of its own: elements of padding count or don't, and a divisor can be
given instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from autograd_lab.functions.precision import wide
from autograd_lab.functions.shapes import Sizes


class Windows(NamedTuple):
    """The windows along one dimension. See Note [Windows].

    Attributes:
        windows: Of each pair of a window and an element in it, the window.
        elements: The element.
        lengths: Of each window, how many elements it divides by.
    """

    windows: torch.Tensor
    elements: torch.Tensor
    lengths: torch.Tensor


def between(starts: torch.Tensor, ends: torch.Tensor, lengths: torch.Tensor, size: int) -> Windows:
    """Returns the windows that begin and end there.

    Args:
        starts: Of each window the first element.
        ends: The element after the last one.
        lengths: How many it divides by.
        size: How many elements there are; a window may reach beyond them.

    Returns:
        The windows.
    """
    element = torch.arange(size, device=starts.device)
    inside = (starts[:, None] <= element) & (element < ends[:, None])
    windows, elements = inside.nonzero(as_tuple=True)
    return Windows(windows, elements, lengths)


def to_elements(
    grad: torch.Tensor, shape: Sizes, sides: Sequence[Windows], divisor: int | None
) -> torch.Tensor:
    r"""Returns each element's sum over its windows, :math:`\sum_{i:\, j \in W_i} \bar z_i / n_i`. See Note [Windows].

    Args:
        grad: The gradient of the averages.
        shape: The input's.
        sides: The windows along each of the last dimensions.
        divisor: What to divide by instead of the windows' own numbers.

    Returns:
        A gradient of the input's shape, in single precision at least.
    """
    dims = range(-len(sides), 0)
    counts = torch.ones((), device=grad.device, dtype=torch.long)
    for side in sides:
        counts = counts[..., None] * side.lengths
    shares = wide(grad) / (counts if divisor is None else divisor)
    for dim, side in zip(dims, sides, strict=True):
        sizes = list(shares.shape)
        sizes[dim] = shape[dim]
        each = shares.index_select(dim, side.windows)
        shares = shares.new_zeros(sizes).index_add(dim, side.elements, each)
    return shares


def regular(
    shape: Sizes, made: torch.Tensor, kernel_size: Sizes, stride: Sizes, padding: Sizes, count_padding: bool
) -> list[Windows]:
    """Returns the windows of an average pooling along each of the last dimensions.

    Args:
        shape: The input's.
        made: The averages, or what has their shape.
        kernel_size: How long a window is.
        stride: How far apart two windows begin.
        padding: How many elements are put before the first one and after the last one.
        count_padding: Whether these count.

    Returns:
        The windows, a dimension at a time.
    """
    sides = []
    for dim in range(-len(kernel_size), 0):
        size, pad = shape[dim], padding[dim]
        starts = torch.arange(made.shape[dim], device=made.device) * stride[dim] - pad
        ends = (starts + kernel_size[dim]).clamp(max=size + pad)
        with_padding = ends - starts
        starts, ends = starts.clamp(min=0), ends.clamp(max=size)
        sides.append(between(starts, ends, with_padding if count_padding else ends - starts, size))
    return sides


def adapted(shape: Sizes, made: torch.Tensor, output_size: Sizes) -> list[Windows]:
    """Returns the windows of an adaptive pooling along each of the last dimensions.

    Args:
        shape: The input's.
        made: Any tensor on the device.
        output_size: How many windows there are.

    Returns:
        The windows, a dimension at a time.
    """
    sides = []
    for dim in range(-len(output_size), 0):
        size, count = shape[dim], output_size[dim]
        number = torch.arange(count, device=made.device)
        starts = number * size // count
        ends = -(-(number + 1) * size // count)
        sides.append(between(starts, ends, ends - starts, size))
    return sides
