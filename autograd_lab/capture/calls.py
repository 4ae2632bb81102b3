"""What a callable is called, and where it was written."""

from __future__ import annotations

import functools
import inspect
import linecache
import re
from types import CodeType
from typing import Any

from autograd_lab.records import Source

_DEF = re.compile(r"\s*(async\s+)?def\b")


def qualified_name(call: Any) -> str:
    """Returns a callable's qualified name; for an object with ``__call__``, its class's.

    Example:
        >>> qualified_name(functools.partial(qualified_name, 1))
        'qualified_name'
    """
    call = _inner(call)
    return str(getattr(call, "__qualname__", type(call).__qualname__))


def source_of(call: Any) -> Source | None:
    """Returns where a callable was written; ``None`` where it isn't written in Python."""
    call = _inner(call)
    code = getattr(call, "__code__", None) or getattr(type(call).__call__, "__code__", None)
    return None if code is None else source_of_code(code)


def source_of_code(code: CodeType) -> Source:
    """Returns where a function's code is: its file and the line of its ``def``."""
    return Source(code.co_filename, _line_of_def(code), code.co_qualname)


@functools.lru_cache(maxsize=4096)
def _line_of_def(code: CodeType) -> int:
    """The line of ``def``; Python's ``co_firstlineno`` is the first decorator's."""
    first = code.co_firstlineno
    body = min((line for _, _, line in code.co_lines() if line is not None and line > first), default=first)
    for line in range(first, body + 1):
        if _DEF.match(linecache.getline(code.co_filename, line)):
            return line
    return first  # a lambda, or the file is gone


def _inner(call: Any) -> Any:
    while isinstance(call, functools.partial):
        call = call.func
    return inspect.unwrap(call)
