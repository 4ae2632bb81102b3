"""Records to plain data: what JSON can hold.

Relies on records being named tuples or frozen dataclasses. Promises that a field which has its default value is left
out, and that equal records give equal data. See ``jsonio`` for numbers that JSON doesn't have.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

REQUIRED = object()
"""Stands for the default of a field that has none."""


def encode(value: Any) -> Any:
    """Returns a value as dictionaries, lists and what JSON has itself."""
    kind: Any = type(value)
    if is_record(kind):
        return {
            name: encode(field)
            for name, default in defaults(kind)
            if (field := getattr(value, name)) is not default and field != default
        }
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    return value


def is_record(kind: Any) -> bool:
    """Returns whether a type is a record's."""
    return dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")


@functools.cache
def defaults(record_type: Any) -> tuple[tuple[str, Any], ...]:
    """Returns each field's name and its default; ``REQUIRED`` where it has none."""
    if dataclasses.is_dataclass(record_type):
        return tuple(
            (field.name, REQUIRED if field.default is dataclasses.MISSING else field.default)
            for field in dataclasses.fields(record_type)
            if field.compare  # live tensors aren't, and have no place in a file
        )
    known = record_type._field_defaults
    return tuple((name, known.get(name, REQUIRED)) for name in record_type._fields)
