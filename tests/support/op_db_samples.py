"""PyTorch's own samples of the operations whose rules must pass every one of them."""

from __future__ import annotations

import torch
from torch.testing._internal.common_methods_invocations import op_db

FIRST_FIVE = {
    "mul", "sub", "pow", "add", "div", "true_divide", "rsub", "float_power", "square",
    "__rmul__", "__rsub__", "__rpow__", "__radd__", "__rdiv__",
}  # fmt: skip
ENTRIES = [entry for entry in op_db if entry.name in FIRST_FIVE]


def samples_of(entry, dtype):
    """An operation's samples, with ``requires_grad``.

    ``entry.sample_inputs`` gives the same, but looks through the call stack for each of them, which takes longer than
    most tests of a sample under pytest-xdist.
    """
    torch.manual_seed(0)
    return entry.sample_inputs_func(entry, "cpu", dtype, True)
