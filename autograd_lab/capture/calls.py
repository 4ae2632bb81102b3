"""What a callable is called, and where it was written."""

from __future__ import annotations

import functools
import inspect
from types import CodeType
from typing import Any

from autograd_lab.records import Source


def qualified_name(call: Any) -> str:
    """Gives a callable's qualified name; for an object with ``__call__``, its class's.

    Example:
        >>> qualified_name(functools.partial(qualified_name, 1))
        'qualified_name'
    """
    call = _inner(call)
    return str(getattr(call, "__qualname__", type(call).__qualname__))


def source_of(call: Any) -> Source | None:
    """Gives where a callable was written; ``None`` where it isn't written in Python."""
    call = _inner(call)
    code = getattr(call, "__code__", None) or getattr(type(call).__call__, "__code__", None)
    return None if code is None else source_of_code(code)


def source_of_code(code: CodeType) -> Source:
    """Gives the place of a code object: its file and its first line."""
    return Source(code.co_filename, code.co_firstlineno, code.co_qualname)


def _inner(call: Any) -> Any:
    while isinstance(call, functools.partial):
        call = call.func
    return inspect.unwrap(call)
