"""The user's own line: the innermost frame that is neither torch's nor Python's own nor the lab's.

Where the lab's command line calls a model itself, there's no such line: what called the lab made no node.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import linecache
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

import torch

from autograd_lab._torch import applied as _applied, called_from as _called_from
from autograd_lab.records import Source

_LAB = Path(__file__).parent.parent
_COMMAND_LINE = f"{_LAB / 'cli'}/"
_PYTHON = f"{Path(inspect.__file__).parent}/"
_NOT_THE_USERS = (f"{_LAB}/", f"{Path(torch.__file__).parent}/", "<frozen ")
_LIBRARIES = ("/site-packages/", "/dist-packages/")


class Place(NamedTuple):
    """A line of running code, not yet written out."""

    code: CodeType
    line: int


def place() -> Place | None:
    """Finds the line of the user's that is running now, or has called what is running.

    Returns:
        The line; ``None`` where there is none, as in the engine's own threads.
    """
    return _place(inspect.currentframe())


def _place(frame: FrameType | None) -> Place | None:
    frame = _users(frame)
    return None if frame is None else Place(frame.f_code, frame.f_lineno)


def _users(frame: FrameType | None) -> FrameType | None:
    while frame is not None:
        if is_users(frame.f_code):
            return frame
        if frame.f_code.co_filename.startswith(_COMMAND_LINE):
            return None
        frame = frame.f_back
    return None


def start() -> tuple[Source | None, str | None]:
    """Finds the user's line that starts a backward, and what the user calls the tensor there.

    The name is read from the line itself: a frame's variables, once looked at, would hold their values for as long as
    it runs.

    Returns:
        The line, and ``loss`` where it is ``loss.backward()``; ``None`` in place of what can't be read or isn't there.
    """
    frame = _users(inspect.currentframe())
    if frame is None:
        return None, None
    return source(Place(frame.f_code, frame.f_lineno)), _begun_at(frame.f_code, frame.f_lasti)


@functools.lru_cache(maxsize=1024)
def _begun_at(code: CodeType, instruction: int) -> str | None:
    text = _running(code, instruction)
    try:
        call = ast.parse(f"({text})", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    begun: ast.expr | None = call.func.value
    if call.func.attr not in ("backward", "grad"):
        return None
    if ast.unparse(call.func.value) in ("torch.autograd", "autograd"):
        begun = call.args[0] if call.args else None
    return ast.unparse(begun) if begun is not None and _is_name(begun) else None


def _running(code: CodeType, instruction: int) -> str:
    """The source of the expression that an instruction is of; empty where it can't be read."""
    line, last, begins, ends = next(
        itertools.islice(code.co_positions(), instruction // 2, None), (None,) * 4
    )
    if line is None or last is None or begins is None or ends is None:
        return ""
    lines = [each.encode() for each in linecache.getlines(code.co_filename)[line - 1 : last]]
    if not lines:
        return ""
    lines[-1] = lines[-1][:ends]  # columns count bytes
    lines[0] = lines[0][begins:]
    return b"".join(lines).decode(errors="replace")


def _is_name(expression: ast.expr) -> bool:
    """Whether it's a variable, or an attribute of one: ``loss``, ``out.loss``."""
    while isinstance(expression, ast.Attribute):
        expression = expression.value
    return isinstance(expression, ast.Name)


def call_of_compiled() -> Place | None:
    """Finds the line of the user's that has called the compiled code that is running.

    Dynamo's code for a function is said to be in that function's file, at its first line.

    Returns:
        The line; that of `place` where nobody is seen to have called compiled code.
    """
    frame = inspect.currentframe()
    while frame is not None and not _applied.calls_compiled(frame.f_code):
        frame = frame.f_back
    return place() if frame is None else _place(frame)


def source(found: Place | None) -> Source | None:
    """Writes a line out.

    Example:
        >>> source(place()).function
        '<module>'
    """
    if found is None:
        return None
    return Source(found.code.co_filename, found.line, found.code.co_qualname)


@functools.lru_cache(maxsize=4096)
def is_users(code: CodeType) -> bool:
    """Whether code is the user's, or of a library that is neither torch nor Python's own."""
    file = code.co_filename
    if code.co_name == _called_from.NAME:  # the lab's own, for all its file's name says
        return False
    if file.startswith(_PYTHON):  # without a virtual environment, libraries are in a folder of that one
        return any(libraries in file for libraries in _LIBRARIES) and not file.startswith(_NOT_THE_USERS)
    return not file.startswith(_NOT_THE_USERS)
