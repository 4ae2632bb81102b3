"""PyTorch's own samples of the operations whose rules must pass every one of them."""

from __future__ import annotations

from torch.testing._internal.common_methods_invocations import op_db

FIRST_FIVE = {
    "mul", "sub", "pow", "add", "div", "true_divide", "rsub", "float_power", "square",
    "__rmul__", "__rsub__", "__rpow__", "__radd__", "__rdiv__",
}  # fmt: skip
ENTRIES = [entry for entry in op_db if entry.name in FIRST_FIVE]
