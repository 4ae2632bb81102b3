"""Which Functions written in Python are applied.

Relies on, of torch:

- ``torch.autograd.function.BackwardCFunction``, of which torch makes a node's object whenever a Function in Python is
  applied, and ``_forward_cls``, the Function. Without it nobody would notice that compiled code ran.
- ``_lazy_backward_info``, which AOTAutograd gives to the Functions that it makes of compiled code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.autograd.function import BackwardCFunction

from autograd_lab._torch.changes import Attribute


def compiled_functions(tell: Callable[[str], object]) -> Attribute:
    """Returns the change that notices when a compiled function that has a backward is called.

    Args:
        tell: Is called with the Function's name, in the thread that called it.
    """

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - that is what it becomes
        super(BackwardCFunction, self).__init__(*args, **kwargs)
        function = type(self)._forward_cls
        if hasattr(function, "_lazy_backward_info"):
            tell(function.__name__)

    return Attribute(BackwardCFunction, "__init__", __init__)
