"""Plain data to records, checked: each field by the type that its record's annotation says.

Relies on the records' own type annotations. Promises that whatever is wrong is a ``RecordError`` that names the field.
"""

from __future__ import annotations

import functools
import json
import types
import typing
from collections.abc import Callable
from typing import Any, TypeAlias

from autograd_lab.errors import RecordError, article
from autograd_lab.records.encoding import REQUIRED, defaults, is_record
from autograd_lab.records.graph import Scalar
from autograd_lab.records.scalar import Number

Decoder: TypeAlias = Callable[[Any, str], Any]
"""Reads a value, which stands in a field of that name, and returns it as a record holds it."""


@functools.cache
def decoder(wanted: Any) -> Decoder:
    """Returns what reads a value of this type, and raises with the field's name."""
    if is_record(wanted):
        return _record_decoder(wanted)
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Annotated:
        return _ANNOTATED[arguments[1]]
    if origin is tuple:
        return _tuple_decoder(arguments)
    if origin in (types.UnionType, typing.Union):
        return _union_decoder(arguments)
    return _float if wanted is float else _plain_decoder(wanted)


def _record_decoder(record_type: type) -> Decoder:
    hints = typing.get_type_hints(record_type, include_extras=True)
    fields = [(name, decoder(hints[name]), default is REQUIRED) for name, default in defaults(record_type)]
    known = {name for name, _, _ in fields}

    def decode(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise wrong(where, f"the fields of a {record_type.__name__}", value)
        for name in value:
            if name not in known:
                raise RecordError(f"{where}.{shown(name)[1:-1]}: a {record_type.__name__} has no such field")
        found = {}
        for name, read, required in fields:
            if name in value:
                found[name] = read(value[name], f"{where}.{name}")
            elif required:
                raise RecordError(f"{where}.{name}: missing")
        return record_type(**found)

    return decode


def _tuple_decoder(arguments: tuple[Any, ...]) -> Decoder:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        read = decoder(arguments[0])

        def decode_any(value: Any, where: str) -> Any:
            if not isinstance(value, list):
                raise wrong(where, "a list", value)
            return tuple(read(item, f"{where}[{index}]") for index, item in enumerate(value))

        return decode_any
    readers = [decoder(argument) for argument in arguments]

    def decode_fixed(value: Any, where: str) -> Any:
        if not isinstance(value, list) or len(value) != len(readers):
            raise wrong(where, f"a list of {len(readers)}", value)
        return tuple(
            read(item, f"{where}[{index}]")
            for index, (read, item) in enumerate(zip(readers, value, strict=True))
        )

    return decode_fixed


def _union_decoder(arguments: tuple[Any, ...]) -> Decoder:
    """Reads ``X | None``, or a union of plain types; a record's unions have no other form."""
    others = [argument for argument in arguments if argument is not type(None)]
    nullable = len(others) < len(arguments)
    if len(others) == 1:
        read = decoder(others[0])
        return lambda value, where: None if nullable and value is None else read(value, where)
    allowed = tuple(others)

    def decode(value: Any, where: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise wrong(where, " or ".join(article(kind.__name__) for kind in allowed), value)
        return value

    return decode


def _plain_decoder(wanted: type) -> Decoder:
    def decode(value: Any, where: str) -> Any:
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise wrong(where, article(wanted.__name__), value)
        return value

    return decode


def _scalar(value: Any, where: str) -> Scalar:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return tuple(_scalar(item, f"{where}[{index}]") for index, item in enumerate(value))
    try:
        match value:
            case {"float": str(text), **rest} if not rest:
                return float(text)
            case {"complex": [str(real), str(imag)], **rest} if not rest:
                return complex(float(real), float(imag))
    except ValueError:
        pass  # the same message as for any other value that isn't one
    raise wrong(where, "a number, a text, a flag or a list of them", value)


def _float(value: Any, where: str) -> float:
    number = _scalar(value, where)
    if not isinstance(number, float):
        raise wrong(where, "a float", value)
    return number


def _number(value: Any, where: str) -> Number:
    number = _scalar(value, where)
    if number is None or isinstance(number, str | tuple):
        raise wrong(where, "a number", value)
    return number


_ANNOTATED: dict[str, Decoder] = {"scalar": _scalar, "number": _number}


def wrong(where: str, expected: str, found: Any) -> RecordError:
    """Returns the error for a value that isn't what a field holds."""
    return RecordError(f"{where}: expected {expected}, found {shown(found)}")


def shown(found: Any) -> str:
    """Returns a value as a message quotes it: not at any length."""
    text = json.dumps(found)
    return text if len(text) <= 60 else text[:57] + "..."
