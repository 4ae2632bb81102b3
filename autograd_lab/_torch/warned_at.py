"""Warnings under a watch: at the line, as often, and through the same filters as without it.

Relies on

- ``torch.overrides.handle_torch_function``, through which a torch function written in Python asks a mode. Without it,
  the two frames that asking takes couldn't be told from the user's.
- the first ``return`` of ``torch.nn.Module._call_impl``, which is what torch runs for a module without hooks, and its
  inner function ``inner``, which it runs for one with hooks; and the dictionaries of hooks that it asks. Without them,
  a warning that a module's forward addresses to its caller would name another line of torch's than without the watch.

Note [Where a warning of Python's comes from]
``warnings.warn(…, stacklevel=n)`` counts frames. While something is watched, it is replaced by one that leaves out of
the count what is there for the watch only: the lab's own frames, those in which a torch function asks the mode, and
what torch puts around the forward of a module with hooks. Code that took ``warn`` out of ``warnings`` before the watch
counts them still. For warnings in C++ see Note [Where a warning of C++ comes from] in ``called_from.py``.

Note [Filters stay untouched]
Whoever changes the filters, ``warnings.catch_warnings`` included, has Python forget which warnings were shown: one
that is to be shown once for a line is shown again. So the lab doesn't while it watches, nor calls what does.
"""

from __future__ import annotations

import dis
import functools
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

from autograd_lab._torch import changes as _changes
from autograd_lab._torch.called_from import ASKS, NAME
from autograd_lab.hold import Hold

_LAB = f"{Path(__file__).parent.parent}/"
_COMMAND_LINE = f"{_LAB}cli/"

_WARN = warnings.warn
_WARN_EXPLICIT = warnings.warn_explicit
_PARAMETERS = ("message", "category", "stacklevel", "source")

_CALL = torch.nn.Module._call_impl.__code__
_WITH_HOOKS = next(
    (code for code in _CALL.co_consts if isinstance(code, CodeType) and code.co_name == "inner"), None
)
_WITHOUT_HOOKS = next(
    (
        each.positions.lineno
        for each in dis.get_instructions(_CALL)
        if each.opname == "RETURN_VALUE" and each.positions
    ),
    None,
)


def undisturbed(held: Hold) -> None:
    """Has ``warnings.warn`` count frames as if nothing were watched. See Note [Where a warning of Python's comes from].

    Args:
        held: For how long.
    """
    who = object()
    held.add(functools.partial(_changes.let_go, who))
    _changes.need(who, [_COUNTING])


class _Counting:
    """The change of ``warnings.warn``; see `changes.Change`. One that somebody else has replaced stays as it is."""

    def make(self) -> None:
        if warnings.warn is _WARN:
            warnings.warn = _warn

    def undo(self) -> None:
        if warnings.warn is _warn:
            warnings.warn = _WARN


_COUNTING = _Counting()


@functools.wraps(_WARN)
def _warn(*args: Any, **kwargs: Any) -> None:
    __tracebackhide__ = True
    given = dict(zip(_PARAMETERS, args, strict=False)) | kwargs
    message: Any = given.get("message")
    category: Any = given.get("category")
    if isinstance(message, Warning):
        category = type(message)
    elif category is None:
        category = UserWarning
    if not _is_right(args, kwargs) or not _is_category(category):
        return _WARN(*args, **kwargs)  # which says what is wrong
    found = _found(sys._getframe(1), given.get("stacklevel", 1), tuple(given.get("skip_file_prefixes", ())))
    if found is None:  # beyond the first frame
        return _WARN(**given | {"stacklevel": sys.maxsize})
    frame, line = found
    known = frame.f_globals
    module = known.get("__name__", "<string>")
    return _WARN_EXPLICIT(
        message,  # whatever it is: as it was given
        category,
        frame.f_code.co_filename,
        line,
        module=module if module is None or isinstance(module, str) else "<string>",
        registry=known.setdefault("__warningregistry__", {}),
        source=given.get("source"),
    )


def _is_right(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    more = {*_PARAMETERS[len(args) :], *(("skip_file_prefixes",) if sys.version_info >= (3, 12) else ())}
    return (
        len(args) <= len(_PARAMETERS)
        and kwargs.keys() <= more
        and (bool(args) or "message" in kwargs)
        and all(isinstance(each, int) for each in (*args[2:3], kwargs.get("stacklevel", 1)))
        and isinstance(kwargs.get("skip_file_prefixes", ()), tuple)
    )


def _is_category(category: Any) -> bool:
    return isinstance(category, type) and issubclass(category, Warning)


def _found(frame: FrameType, level: int, prefixes: tuple[str, ...]) -> tuple[FrameType, int] | None:
    """The frame that a level leads to, as Python counts, and its line; ``None`` beyond the first frame."""
    frames = _without_the_lab(frame)
    found = next(frames, None)
    level = max(level, 2) if prefixes else level
    counts_all = level <= 0 or (found is not None and _is_import(found[0].f_code.co_filename))
    for _ in range(level - 1):
        found = next(
            (each for each in frames if counts_all or not _is_left_out(each[0].f_code.co_filename, prefixes)),
            None,
        )
        if found is None:
            break
    return found


def _is_import(file: str) -> bool:
    return "importlib" in file and "_bootstrap" in file


def _is_left_out(file: str, prefixes: tuple[str, ...]) -> bool:
    return _is_import(file) or file.startswith(prefixes)


def _without_the_lab(frame: FrameType | None) -> Iterator[tuple[FrameType, int]]:
    """The stack as it would be without a watch, from the inside outwards."""
    inner: CodeType | None = None
    plain = False
    while frame is not None:
        code, outer = frame.f_code, frame.f_back
        if code.co_filename.startswith(_COMMAND_LINE):  # the script's own stack begins here
            return
        if code.co_name == "__torch_function__" and _is_labs(code):
            outer = _who_asked(outer, inner)
        elif code is _WITH_HOOKS and outer is not None and not _has_hooks(outer):
            plain = True
        elif not (_is_labs(code) or (outer is not None and _is_dispatch(outer.f_code))):
            line = _WITHOUT_HOOKS if plain and code is _CALL and _WITHOUT_HOOKS else frame.f_lineno
            plain = plain and code is not _CALL
            yield frame, line
            inner = code
        frame = outer


def _is_labs(code: CodeType) -> bool:
    return code.co_filename.startswith(_LAB) or code.co_name == NAME


def _is_dispatch(code: CodeType) -> bool:
    """Whether a frame around this one is a mode of the lab's that runs a kernel, through a frame of torch's."""
    return code.co_name == "__torch_dispatch__" and _is_labs(code)


def _who_asked(frame: FrameType | None, inner: CodeType | None) -> FrameType | None:
    """The caller of what asked the mode: a function that is called again inside, through ``inner``."""
    if frame is not None and frame.f_code is ASKS:
        frame = frame.f_back
        return None if frame is None else frame.f_back
    if frame is not None and frame.f_code is inner:  # an operator written in Python that asks in C++
        return frame.f_back
    return frame


def _has_hooks(frame: FrameType) -> bool:
    """Whether the module whose call runs in a frame has hooks that aren't the lab's, or every module has."""
    shared: Any = torch.nn.modules.module
    module = frame.f_locals["self"]
    hooks = (
        module._backward_hooks,
        module._backward_pre_hooks,
        module._forward_hooks,
        module._forward_pre_hooks,
        shared._global_backward_pre_hooks,
        shared._global_backward_hooks,
        shared._global_forward_hooks,
        shared._global_forward_pre_hooks,
    )
    return any(not _is_the_labs(number) for numbers in hooks for number in numbers)


def _is_the_labs(number: Any) -> bool:
    """See ``module_hooks``: torch counts from zero upwards."""
    return isinstance(number, int) and number < 0
