"""Functions of C++ called as if from a user's line, where a frame of the lab's stands in between.

Relies on

- ``torch.overrides.handle_torch_function``, through which a torch function written in Python asks a mode. Without it,
  such functions would be called as if from a line of torch's, which does no harm.
- ``torch._dynamo.eval_frame.skip_code``, which has Dynamo leave code alone.

Note [Where a warning of C++ comes from]
A warning in C++ names the line of the innermost Python frame, and is counted in that frame's module
(``__warningregistry__``). Under a ``TorchFunctionMode`` that frame is the mode's. So the mode calls a function of C++
through a function that is said to be on the user's line, and that has the user's module for its globals.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FrameType
from typing import Any

import torch

ASKS = torch.overrides.handle_torch_function.__code__
"""What a torch function written in Python asks a mode in."""

NAME = "<torch function>"
"""What tracebacks call the function in between."""

_MOST = 4096
"""So many places are remembered."""


def _template() -> CodeType:
    """The code of a function that calls another one; without columns, since they would be of another line."""
    source = "def call(func, args, kwargs): __tracebackhide__ = True; return func(*args, **kwargs)"
    tree = ast.parse(source)
    for each in ast.walk(tree):
        if hasattr(each, "col_offset"):
            each.col_offset = each.end_col_offset = -1  # type: ignore[attr-defined]
    whole = compile(tree, NAME, "exec")
    code: CodeType = next(each for each in whole.co_consts if isinstance(each, CodeType))
    return code.replace(co_name=NAME, co_qualname=NAME)


_TEMPLATE = _template()


class Callers:
    """Calls functions as if from the line that called the caller. See Note [Where a warning of C++ comes from]."""

    def __init__(self) -> None:
        self._codes: dict[tuple[int, int], tuple[CodeType, CodeType]] = {}

    def call(
        self, frame: FrameType, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Calls a function as if from a frame.

        Args:
            frame: The frame.
            func: The function.
            args: Its positional arguments.
            kwargs: Its keyword arguments.

        Returns:
            What it returns.
        """
        __tracebackhide__ = True
        code = frame.f_code
        if code is ASKS:  # a function written in Python; C++ that it calls names its own lines
            return func(*args, **kwargs)
        place = id(code), frame.f_lasti
        known = self._codes.get(place)
        if known is None:
            known = self._remember(place, frame)
        return types.FunctionType(known[1], frame.f_globals)(func, args, kwargs)

    def _remember(self, place: tuple[int, int], frame: FrameType) -> tuple[CodeType, CodeType]:
        code = frame.f_code
        if len(self._codes) >= _MOST:
            self._codes.clear()
        made = _TEMPLATE.replace(co_filename=code.co_filename, co_firstlineno=frame.f_lineno or 1)
        _keep_uncompiled(made)
        known = code, made  # as long as the code is held, no other one has its id
        self._codes[place] = known
        return known


def _keep_uncompiled(code: CodeType) -> None:
    """Has Dynamo leave code alone: it would compile each place's anew."""
    eval_frame = sys.modules.get("torch._dynamo.eval_frame")
    if eval_frame is not None:
        eval_frame.skip_code(code)
