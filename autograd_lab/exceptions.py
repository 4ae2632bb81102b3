"""A user's exception on its way through the lab: described, and passed on as it is.

Relies on the standard library only. Promises that none of the user's code runs here and that nothing here raises.

Note [Exceptions of any class]
An exception's class may be frozen, and its ``__setattr__``, ``__getattribute__`` or ``__repr__`` may raise, print or
count. So what is read and written goes through ``BaseException`` itself. And no ``contextlib.contextmanager`` stands
around code of the user's: it sets ``__traceback__`` of whatever passes it, which a frozen exception answers with
another exception.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import TracebackType
from typing import Any

_PLAIN = (str, int, float, complex, bool, bytes, type(None))

_attributes: Any = vars(BaseException)["__dict__"]
_arguments: Any = vars(BaseException)["args"]
_traceback: Any = vars(BaseException)["__traceback__"]
_origins: Any = (vars(BaseException)["__cause__"], vars(BaseException)["__context__"])
_group: Any = vars(BaseExceptionGroup)["exceptions"]


def attach(error: BaseException, trace: Any) -> None:
    """Attaches a trace to an exception, as ``autograd_lab_trace``."""
    _attributes.__get__(error)["autograd_lab_trace"] = trace


def described(error: BaseException) -> str:
    """Returns an exception as text: its class and its arguments.

    Args:
        error: Any exception.

    Returns:
        What ``repr`` gives for an exception without a ``__repr__`` of its own; arguments that aren't plain values are
        named by their type.

    Example:
        >>> described(KeyError("w")), described(RuntimeError("at", object()))
        ("KeyError('w')", "RuntimeError('at', <object>)")
    """
    arguments = (
        repr(each) if type(each) in _PLAIN else f"<{type(each).__name__}>"
        for each in _arguments.__get__(error)
    )
    return f"{type(error).__name__}({', '.join(arguments)})"


def sets_attributes_itself(error: BaseException) -> bool:
    """Returns whether an exception's class has a ``__setattr__`` of its own."""
    return inspect.getattr_static(type(error), "__setattr__") is not BaseException.__setattr__


def origins(error: BaseException) -> Iterator[BaseException]:
    """Returns the exceptions that an exception came from or holds."""
    for origin in _origins:
        found = origin.__get__(error)
        if found is not None:
            yield found
    if issubclass(type(error), BaseExceptionGroup):  # isinstance may ask the instance
        yield from _group.__get__(error)


def traceback(error: BaseException) -> TracebackType | None:
    """Returns an exception's traceback."""
    found: TracebackType | None = _traceback.__get__(error)
    return found


def set_traceback(error: BaseException, shown: TracebackType | None) -> None:
    """Replaces an exception's traceback."""
    _traceback.__set__(error, shown)
