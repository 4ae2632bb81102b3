"""The user's own line: the innermost frame that is neither torch's nor the lab's."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import torch

from autograd_lab.records import Source

_NOT_THE_USERS = tuple(
    str(Path(file).parent) + "/" for file in (torch.__file__, Path(__file__).parent) if file is not None
)


class Place(NamedTuple):
    """A line of running code, not yet written out."""

    code: CodeType
    line: int


def place() -> Place | None:
    """Finds the line of the user's that is running now, or has called what is running.

    Returns:
        The line; ``None`` where there's nothing but torch and the lab, as in the engine's own threads.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if is_users(frame.f_code):
            return Place(frame.f_code, frame.f_lineno)
        frame = frame.f_back
    return None


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
    """Whether code is the user's, or of a library that isn't torch."""
    return not code.co_filename.startswith((*_NOT_THE_USERS, "<frozen "))
