"""How the elements of a kept gradient are spread: what the page shows of it.

Relies on ``_torch/readable.py``, which says what can be measured. Promises to change nothing, and that every element is
counted once: in a bin, as NaN or as infinite.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from autograd_lab._torch import tensors as _tensors
from autograd_lab._torch.readable import Readable, readable
from autograd_lab.records import Trace

BINS = 20


class Histogram(NamedTuple):
    """The elements of a gradient, counted.

    Attributes:
        low: The least that is finite; ``None`` where none is.
        high: The largest.
        counts: How many lie in each of `BINS` equal parts from ``low`` to ``high``; where these are equal, all are in
            the first.
        nans: How many are NaN.
        infs: How many are infinite.

    Example:
        >>> histogram(torch.tensor([0.0, 1.0, 1.0, torch.inf])).counts[-1]
        2
    """

    low: float | None
    high: float | None
    counts: tuple[int, ...]
    nans: int
    infs: int


def histograms(trace: Trace) -> dict[str, dict[str, object]]:
    """Counts the elements of the gradients that a trace kept.

    Args:
        trace: The trace, as ``keep`` made it.

    Returns:
        ``"in:NODE:SLOT"`` for what flowed into a node and ``"out:NODE:SLOT"`` for what it returned → the fields of a
        `Histogram`; nothing for gradients that weren't kept, have no elements or can't be put in order.

    Example:
        >>> from autograd_lab.records import Graph
        >>> histograms(Trace(Graph((), ()), ()))
        {}
    """
    found = {}
    for node, kept in trace.kept.items():
        for way, gradients in (("in", kept.grad_outputs), ("out", kept.grad_inputs)):
            for slot, gradient in enumerate(gradients):
                counted = None if gradient is None else histogram(gradient)
                if counted is not None:
                    found[f"{way}:{node}:{slot}"] = counted._asdict()
    return found


def histogram(tensor: torch.Tensor) -> Histogram | None:
    """Counts the elements of a tensor.

    Args:
        tensor: Any tensor; it's left as it is.

    Returns:
        The counts; ``None`` for a tensor that has no numbers to read, no elements, or complex ones.
    """
    with _tensors.unseen():
        known = readable(tensor)
        if not isinstance(known, Readable) or known.numel == 0 or known.values.is_complex():
            return None
        return _counted(known)


def _counted(known: Readable) -> Histogram:
    values = known.values.reshape(-1).to("cpu", torch.float64)
    finite = values[values.isfinite()]
    nans = int(values.isnan().sum())
    infs = values.numel() - finite.numel() - nans
    zeros = known.numel - values.numel()  # those that a sparse layout leaves out
    if zeros:
        finite = torch.cat((finite, finite.new_zeros(1)))
    if not finite.numel():
        return Histogram(None, None, (0,) * BINS, nans, infs)
    low, high = finite.min(), finite.max()
    counts = torch.bincount(_bins(finite, low, high), minlength=BINS)
    if zeros:
        counts[_bins(finite[-1:], low, high)] += zeros - 1
    return Histogram(low.item(), high.item(), tuple(counts.tolist()), nans, infs)


def _bins(values: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Returns the bin of each; halves, since the distance of the two largest numbers is none."""
    width = high / 2 - low / 2
    if width == 0:
        return torch.zeros(values.shape, dtype=torch.int64)
    return ((values / 2 - low / 2) / width * BINS).long().clamp_(max=BINS - 1)
