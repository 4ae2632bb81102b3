"""The user's own line: the innermost frame that is neither torch's nor Python's own nor the lab's.

Where the lab's command line calls a model itself, there's no such line: what called the lab made no node.
"""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

import torch

from autograd_lab._torch import applied as _applied
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
    while frame is not None:
        if is_users(frame.f_code):
            return Place(frame.f_code, frame.f_lineno)
        if frame.f_code.co_filename.startswith(_COMMAND_LINE):
            return None
        frame = frame.f_back
    return None


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
    if file.startswith(_PYTHON):  # without a virtual environment, libraries are in a folder of that one
        return any(libraries in file for libraries in _LIBRARIES) and not file.startswith(_NOT_THE_USERS)
    return not file.startswith(_NOT_THE_USERS)
