"""Which Functions written in Python are applied.

Relies on, of torch:

- ``torch.autograd.function.BackwardCFunction``, of which torch makes a node's object whenever a Function in Python is
  applied, right after the node got its ``sequence_nr``; and ``_forward_cls``, the Function. Without it nobody would
  notice that compiled code ran.
- ``_lazy_backward_info``, which AOTAutograd gives to the Functions that it makes of compiled code.
- the name of the frame in ``torch/_dynamo/eval_frame.py`` from which ``torch.compile`` calls what it has compiled.
  Without it the line of compiled code would be the first one of the function that was compiled.
- ``torch.nn.modules._functions.BackwardHookFunction``, which torch applies around a module for its backward hooks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction
from torch.nn.modules._functions import BackwardHookFunction

TellFunction = Callable[[type], object]
"""Is called with a Function that is applied, in the thread that applies it."""


class Noticing:
    """The change that has somebody told of each Function that is applied; see `changes.Change`.

    Args:
        tell: See `TellFunction`.
    """

    def __init__(self, tell: TellFunction) -> None:
        self._tell = tell

    def make(self) -> None:
        """Begins to tell."""
        _told[self] = self._tell
        if "__init__" not in vars(BackwardCFunction):
            BackwardCFunction.__init__ = _begins  # type: ignore[method-assign]

    def undo(self) -> None:
        """Tells no more; the last one leaves the class as it was."""
        _told.pop(self, None)
        if not _told and vars(BackwardCFunction).get("__init__") is _begins:
            del BackwardCFunction.__init__


_told: dict[Noticing, TellFunction] = {}


def _begins(self: Any, *args: Any, **kwargs: Any) -> None:
    super(BackwardCFunction, self).__init__(*args, **kwargs)
    function = type(self)._forward_cls
    for tell in tuple(_told.values()):
        tell(function)


def is_compiled(function: type) -> bool:
    """Returns whether a Function is compiled code that has a backward."""
    return hasattr(function, "_lazy_backward_info")


def is_torchs_own(function: type) -> bool:
    """Returns whether a Function was written neither by the user nor by a library: compiled code, or for hooks."""
    return is_compiled(function) or function is BackwardHookFunction


_EVAL_FRAME = str(Path(torch.__file__).parent / "_dynamo" / "eval_frame.py")


def calls_compiled(code: CodeType) -> bool:
    """Returns whether code is what ``torch.compile`` returns, which calls what it has compiled."""
    return code.co_name == "compile_wrapper" and code.co_filename == _EVAL_FRAME
