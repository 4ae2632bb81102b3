"""Warnings while something is verified: they are about no gradient, so they decide nothing.

Relies on the standard library only. Promises that under ``-W error``, or a test runner that does the same, a warning
of PyTorch's (its forward mode scripts decompositions, which is deprecated) is shown, and that no check fails of it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def warnings_stay_warnings() -> Iterator[None]:
    """Returns a context in which filters that would make an exception of a warning show it instead."""
    with warnings.catch_warnings():
        shown = [("default" if action == "error" else action, *rest) for action, *rest in warnings.filters]
        warnings.filters[:] = shown  # type: ignore[index] # typeshed has it as a Sequence
        warnings.simplefilter("default", append=True)  # has Python see that the list was changed
        yield
