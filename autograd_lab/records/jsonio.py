"""Records to JSON and back, checked on the way in.

A file is ``{"autograd_lab": {"schema": 1, "record": "Graph"}, "data": {…}}``. Fields that have their default
value are left out. A list of traces has ``"record": "Traces"`` and a list as its data. No pickle and no code: a file
can hold nothing but records. Relies on the records' own type annotations, so a new field is read and written without a
line here.

JSON has no ``inf``, ``nan`` or complex numbers, and the tokens that Python's ``json`` writes for them are
refused by other readers, so they are written as ``{"float": "inf"}`` and ``{"complex": ["1.0", "2.0"]}``.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from autograd_lab.errors import RecordError, article
from autograd_lab.records import files
from autograd_lab.records.check import EngineCheck
from autograd_lab.records.graph import Graph, Scalar
from autograd_lab.records.scalar import Number, ScalarGraph
from autograd_lab.records.trace import Trace, Traces, are_traces
from autograd_lab.records.verify import VerifyReport

SCHEMA = 1
"""The version of the format that this release writes; it reads this one and those before."""

Record: TypeAlias = EngineCheck | Graph | ScalarGraph | Trace | VerifyReport
"""The records that stand in a file by themselves."""

RECORDS: dict[str, type] = {record.__name__: record for record in typing.get_args(Record)}
"""The same, by name."""

TRACES = "Traces"
"""What a file of a list of traces says that it holds."""

T = TypeVar("T", bound=Record)

Decoder: TypeAlias = Callable[[Any, str], Any]


def save(record: Record | Sequence[Trace], path: str | os.PathLike[str]) -> Path:
    """Writes a record as JSON.

    Args:
        record: A record that stands by itself: a ``Graph``, a ``ScalarGraph``, a ``Trace``, an ``EngineCheck`` or a
            ``VerifyReport``; or a list of traces, such as ``watcher.traces``.
        path: Where to; replaced if it is there.

    Returns:
        The path.

    Raises:
        RecordError: It isn't such a record.
        UnwritableError: The path can't be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load(save(Graph((), ()), Path(folder) / "empty.json"))
        Graph(nodes=(), roots=(), unreached=(), classes=())
    """
    return files.write(path, dumps(record))


def load(path: str | os.PathLike[str]) -> Record | list[Trace]:
    """Reads a record that ``save`` wrote.

    Args:
        path: The file.

    Returns:
        A record equal to the one that was saved; a list of traces is a list again.

    Raises:
        RecordError: The file isn't there or isn't a record's; the message names the field that is wrong, or
            says that a later version of the lab wrote it.
    """
    try:
        file = files.path_of(path)
    except ValueError as error:
        raise RecordError(f"cannot read a record: {error}") from error
    name = files.shown(file)
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"{name}: not a record: the file isn't UTF-8 text") from error
    except OSError as error:
        raise RecordError(f"{name}: cannot be read: {error.strerror or error}") from error
    try:
        return loads(text)
    except RecordError as error:
        raise RecordError(f"{name}: {error}") from error


def dumps(record: Record | Sequence[Trace]) -> str:
    """Returns a record as JSON text, the same text for equal records.

    Args:
        record: As for ``save``.

    Returns:
        JSON, one record a line inside long lists, so that two files can be compared line by line.

    Raises:
        RecordError: It isn't such a record.
    """
    if are_traces(record):
        name, data = TRACES, "[\n" + ",\n".join(map(_data, record)) + "\n]"
    elif isinstance(record, Record) and type(record) in RECORDS.values():
        name, data = type(record).__name__, _data(record)
    else:
        known = ", ".join(RECORDS)
        raise RecordError(f"cannot save {_whole(record)}: give one of {known} or a list of traces")
    head = json.dumps({"schema": SCHEMA, "record": name})
    return in_utf8(f'{{"autograd_lab": {head},\n"data": {data}}}\n')


def _whole(thing: object) -> str:
    """Returns what something is that can't be saved; of a list also what in it is no trace."""
    kind = article(type(thing).__name__)
    if not isinstance(thing, list | tuple) or hasattr(thing, "_fields"):
        return kind
    other = next((each for each in thing if not isinstance(each, Trace)), None)
    return f"{kind} that holds {'nothing' if not thing else article(type(other).__name__)}"


def in_utf8(text: str) -> str:
    r"""Returns JSON text that UTF-8 has a place for: half a surrogate pair (of an oddly named file) as ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def loads(text: str) -> Record | list[Trace]:
    """Reads a record from JSON text.

    Args:
        text: What ``dumps`` gave.

    Returns:
        The record.

    Raises:
        RecordError: It isn't a record's text.
    """
    try:
        document = _parse(text)
        wanted = _read_head(document)
        record = _decoder(wanted)(document.get("data"), "data")
    except RecursionError as error:
        raise RecordError("not a record: nested too deeply") from error
    if wanted is not _TRACES:
        return _valid(cast(Record, record), "data")
    return Traces(_valid(each, f"data[{index}]") for index, each in enumerate(record))


def _valid(record: T, where: str) -> T:
    try:
        record.validate()
    except ValueError as error:
        raise RecordError(f"{where}.{error}") from error
    return record


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise RecordError(f"not JSON: {error}") from error
    except RecordError:
        raise
    except ValueError as error:
        raise RecordError("not a record: a number has too many digits") from error


def _refuse_constant(token: str) -> None:
    raise RecordError(f"not a record: {token} isn't JSON")


_TRACES: Any = tuple[Trace, ...]


def _read_head(document: Any) -> Any:
    """Returns the type of what the file holds."""
    head = document.get("autograd_lab") if isinstance(document, dict) else None
    if not isinstance(head, dict):
        raise RecordError("autograd_lab: missing; this isn't a file that lab.save wrote")
    schema = head.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise _wrong("autograd_lab.schema", "a version from 1", schema)
    if schema > SCHEMA:
        raise RecordError(
            f"autograd_lab.schema: version {_shown(schema)} was written by a later release, and this one reads up "
            f"to {SCHEMA}; upgrade autograd-lab"
        )
    name = head.get("record")
    if name == TRACES:
        return _TRACES
    if not isinstance(name, str) or name not in RECORDS:
        raise _wrong("autograd_lab.record", f"one of {', '.join([*RECORDS, TRACES])}", name)
    return RECORDS[name]


# --- out: records to JSON ------------------------------------------------------------


def _data(record: Record) -> str:
    fields = ",\n".join(f"{json.dumps(key)}: {_lines(value)}" for key, value in _encode(record).items())
    return f"{{\n{fields}\n}}"


def _lines(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def _encode(value: Any) -> Any:
    kind: Any = type(value)
    if _is_record(kind):
        return {
            name: _encode(field)
            for name, default in _defaults(kind)
            if (field := getattr(value, name)) is not default and field != default
        }
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    return value


_REQUIRED = object()


def _is_record(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")


@functools.cache
def _defaults(record_type: Any) -> tuple[tuple[str, Any], ...]:
    """Each field's name and its default; ``_REQUIRED`` where it has none."""
    if dataclasses.is_dataclass(record_type):
        return tuple(
            (field.name, _REQUIRED if field.default is dataclasses.MISSING else field.default)
            for field in dataclasses.fields(record_type)
            if field.compare  # live tensors aren't, and have no place in a file
        )
    defaults = record_type._field_defaults
    return tuple((name, defaults.get(name, _REQUIRED)) for name in record_type._fields)


# --- in: JSON to records, checked ----------------------------------------------------


@functools.cache
def _decoder(wanted: Any) -> Decoder:
    """Returns what reads a value of this type, and raises with the field's name."""
    if _is_record(wanted):
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
    fields = [(name, _decoder(hints[name]), default is _REQUIRED) for name, default in _defaults(record_type)]
    known = {name for name, _, _ in fields}

    def decode(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(where, f"the fields of a {record_type.__name__}", value)
        for name in value:
            if name not in known:
                raise RecordError(f"{where}.{_shown(name)[1:-1]}: a {record_type.__name__} has no such field")
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
        read = _decoder(arguments[0])

        def decode_any(value: Any, where: str) -> Any:
            if not isinstance(value, list):
                raise _wrong(where, "a list", value)
            return tuple(read(item, f"{where}[{index}]") for index, item in enumerate(value))

        return decode_any
    readers = [_decoder(argument) for argument in arguments]

    def decode_fixed(value: Any, where: str) -> Any:
        if not isinstance(value, list) or len(value) != len(readers):
            raise _wrong(where, f"a list of {len(readers)}", value)
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
        read = _decoder(others[0])
        return lambda value, where: None if nullable and value is None else read(value, where)
    allowed = tuple(others)

    def decode(value: Any, where: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise _wrong(where, " or ".join(article(kind.__name__) for kind in allowed), value)
        return value

    return decode


def _plain_decoder(wanted: type) -> Decoder:
    def decode(value: Any, where: str) -> Any:
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise _wrong(where, article(wanted.__name__), value)
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
    raise _wrong(where, "a number, a text, a flag or a list of them", value)


def _float(value: Any, where: str) -> float:
    number = _scalar(value, where)
    if not isinstance(number, float):
        raise _wrong(where, "a float", value)
    return number


def _number(value: Any, where: str) -> Number:
    number = _scalar(value, where)
    if number is None or isinstance(number, str | tuple):
        raise _wrong(where, "a number", value)
    return number


_ANNOTATED: dict[str, Decoder] = {"scalar": _scalar, "number": _number}


def _wrong(where: str, expected: str, found: Any) -> RecordError:
    return RecordError(f"{where}: expected {expected}, found {_shown(found)}")


def _shown(found: Any) -> str:
    """Returns a value as a message quotes it: not at any length."""
    text = json.dumps(found)
    return text if len(text) <= 60 else text[:57] + "..."
