"""Warnings while something is verified: they are about no gradient, so they decide nothing.

Promises that under ``-W error``, or a test runner that does the same, a warning
of PyTorch's (its forward mode scripts decompositions, which is deprecated) is shown, and that no check fails of it.
"""

from __future__ import annotations

import warnings

from autograd_lab._torch.settings import keep_warnings
from autograd_lab.hold import Hold


def show_warnings(held: Hold) -> None:
    """Has filters that would make an exception of a warning show it instead.

    Args:
        held: For how long.
    """
    keep_warnings(held)
    shown = [("default" if action == "error" else action, *rest) for action, *rest in warnings.filters]
    warnings.filters = shown  # type: ignore[assignment] # typeshed has it as a Sequence of other tuples
    warnings.simplefilter("default", append=True)  # has Python see that the list was changed
