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
from typing import NamedTuple, TypeAlias

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


OutputNames: TypeAlias = str | tuple[str | None, ...] | None
"""What a line calls what it hands over: a name; of a list or tuple that is written out, a name for each item; or
``None``."""

_TAKE_OUTPUTS = frozenset(
    {"Engine", "capture", "capture_scalar", "check_engine", "render", "replay", "trace"}
)
"""The lab's functions whose first argument is what a backward begins at."""

_FIRST = ("outputs", "tensors", "record")
"""What that argument is called here and in torch."""


def start() -> tuple[Source | None, OutputNames]:
    """Finds the user's line that starts a backward or calls the lab, and what it calls the tensors there.

    The name is read from the line itself: a frame's variables, once looked at, would hold their values for as long as
    it runs.

    Returns:
        The line; and what stands in a call of ``backward`` or ``grad``, or of one of the lab's functions, such as
        ``loss`` in ``loss.backward()``. ``None`` in place of what can't be read, and where an expression stands there.
    """
    frame = _users(inspect.currentframe())
    if frame is None:
        return None, None
    return source(Place(frame.f_code, frame.f_lineno)), _handed_over(frame.f_code, frame.f_lasti)


def called() -> OutputNames:
    """Returns the second of what `start` finds."""
    frame = _users(inspect.currentframe())
    return None if frame is None else _handed_over(frame.f_code, frame.f_lasti)


@functools.lru_cache(maxsize=1024)
def _handed_over(code: CodeType, instruction: int) -> OutputNames:
    text = _running(code, instruction)
    try:
        call = ast.parse(f"({text})", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    given = _outputs_of(call) if isinstance(call, ast.Call) else None
    if isinstance(given, ast.List | ast.Tuple):
        starred = any(isinstance(each, ast.Starred) for each in given.elts)
        return None if starred else tuple(map(_name, given.elts))
    return None if given is None else _name(given)


def _outputs_of(call: ast.Call) -> ast.expr | None:
    """The expression for what a backward begins at."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else _name(function)
    if name in ("backward", "grad"):
        if not isinstance(function, ast.Attribute):
            return None
        if ast.unparse(function.value) not in ("torch.autograd", "autograd"):
            return function.value if name == "backward" else None
    elif name not in _TAKE_OUTPUTS:
        return None
    named = (each.value for each in call.keywords if each.arg in _FIRST)
    return call.args[0] if call.args else next(named, None)


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


def _name(expression: ast.expr) -> str | None:
    """Returns the name of a variable, or of an attribute of one: ``loss``, ``out.loss``; ``None`` for all else."""
    inner = expression
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return ast.unparse(expression) if isinstance(inner, ast.Name) else None


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
