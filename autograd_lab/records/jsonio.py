"""Records to JSON and back, checked on the way in.

A file is ``{"autograd_lab": {"schema": 1, "record": "Graph"}, "data": {…}}``. Fields that have their default
value are left out. A list of traces has ``"record": "Traces"`` and a list as its data. No pickle and no code: a file
can hold nothing but records. Relies on ``encoding`` and ``decoding``, which go
by the records' own type annotations: a new field is read and written without a line here.

JSON has no ``inf``, ``nan`` or complex numbers, and the tokens that Python's ``json`` writes for them are
refused by other readers, so they are written as ``{"float": "inf"}`` and ``{"complex": ["1.0", "2.0"]}``.
"""

from __future__ import annotations

import json
import os
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from autograd_lab.errors import RecordError, article
from autograd_lab.records import files
from autograd_lab.records.check import EngineCheck
from autograd_lab.records.decoding import decoder, shown, wrong
from autograd_lab.records.encoding import encode
from autograd_lab.records.graph import Graph
from autograd_lab.records.scalar import ScalarGraph
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
        record = decoder(wanted)(document.get("data"), "data")
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
        raise wrong("autograd_lab.schema", "a version from 1", schema)
    if schema > SCHEMA:
        raise RecordError(
            f"autograd_lab.schema: version {shown(schema)} was written by a later release, and this one reads up "
            f"to {SCHEMA}; upgrade autograd-lab"
        )
    name = head.get("record")
    if name == TRACES:
        return _TRACES
    if not isinstance(name, str) or name not in RECORDS:
        raise wrong("autograd_lab.record", f"one of {', '.join([*RECORDS, TRACES])}", name)
    return RECORDS[name]


def _data(record: Record) -> str:
    fields = ",\n".join(f"{json.dumps(key)}: {_lines(value)}" for key, value in encode(record).items())
    return f"{{\n{fields}\n}}"


def _lines(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)
