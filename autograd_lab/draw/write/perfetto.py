"""A backward on a time line: Chrome's trace event format, which ui.perfetto.dev and chrome://tracing open.

Each backward is a process, each thread a track, each node's turn a slice, and each gradient an arrow from the slice
that sent it to the one that took it. Two counters say how many bytes of gradients wait in input buffers, and how many
this backward has put into ``.grad``. Relies on the records only. Promises the same text for the same traces, and that
sizes which aren't known are left out, not guessed.

Source: "Trace Event Format" (Google, 2016): phases ``M``, ``X``, ``s``, ``f``, ``C``; times in microseconds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograd_lab.errors import RenderError
from autograd_lab.records import GradStats, Node, Step, TensorMeta, Trace
from autograd_lab.records.jsonio import in_utf8

Event = dict[str, Any]

WAITING = "gradients in input buffers (bytes)"
LANDED = "gradients put into .grad (bytes)"
GAP_NS = 100_000
"""Between one backward and the next: when they really began isn't known."""


def to_perfetto(traces: Sequence[Trace]) -> str:
    """Writes backwards as Chrome trace events.

    Args:
        traces: The backwards, in the order in which they ran; they're laid one after another.

    Returns:
        JSON, one event a line.

    Raises:
        RenderError: A trace has no times.

    Example:
        >>> from autograd_lab.records import Graph
        >>> node = Node(0, "ExpBackward0", "op", 1)
        >>> text = to_perfetto([Trace(Graph((node,), ()), (Step(0, 0, started_ns=0, duration_ns=2000),), 3000)])
        >>> [event["ph"] for event in json.loads(text)["traceEvents"]]
        ['M', 'M', 'X']
    """
    events: list[Event] = []
    offset = 0
    for process, trace in enumerate(traces):
        if any(step.started_ns is None for step in trace.steps):
            raise RenderError("this trace has no times, so there is no time line of it")
        events.extend(_events(trace, process, offset))
        offset += _length(trace) + GAP_NS
    lines = ",\n".join(json.dumps(event, ensure_ascii=False) for event in events)
    return in_utf8(f'{{"displayTimeUnit": "ns", "traceEvents": [\n{lines}\n]}}\n')


def nbytes(meta: TensorMeta | None) -> int | None:
    """Returns the bytes of a tensor's elements; ``None`` where its shape has unknown sizes.

    Example:
        >>> nbytes(TensorMeta((2, 3), "float32", "cpu")), nbytes(TensorMeta(("s0",), "float32", "cpu"))
        (24, None)
    """
    if meta is None or meta.shape is None:
        return None
    sizes = [size for size in meta.shape if isinstance(size, int)]
    bits = re.match(r"[a-z]+(\d+)", meta.dtype)
    if len(sizes) < len(meta.shape) or (bits is None and meta.dtype != "bool"):
        return None
    return math.prod(sizes) * (1 if bits is None else int(bits[1]) // 8)


def _events(trace: Trace, process: int, offset: int) -> Iterator[Event]:
    began = "" if trace.started is None else f", {trace.started}"
    yield _named("process_name", process, 0, f"backward {trace.number}{began}")
    for thread in sorted({step.thread for step in trace.steps}):
        yield _named("thread_name", process, _track(process, thread), f"thread {thread}")
    ends = {step.node: _end(step, trace) for step in trace.steps}
    senders = {step.node: step for step in trace.steps}
    for step in trace.steps:
        yield _slice(step, trace, process, offset)
        yield from _arrows(step, senders, process, offset)
    if any(stats is not None for step in trace.steps for stats in step.grad_outputs):
        # Without statistics it isn't known which gradients were undefined, so neither what they took up.
        yield from _counter(WAITING, _waiting(trace, ends), process, offset)
        yield from _counter(LANDED, _landed(trace, ends), process, offset)
    if trace.error is not None:
        end = max(ends.values(), default=0)
        yield {"ph": "i", "name": trace.error, "pid": process, "tid": 0, "ts": _us(end + offset), "s": "p"}


def _named(kind: str, process: int, thread: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _slice(step: Step, trace: Trace, process: int, offset: int) -> Event:
    node = trace.graph.node(step.node)
    start = step.started_ns or 0
    return {
        "ph": "X",
        "name": node.variable or node.name,
        "cat": node.kind,
        "pid": process,
        "tid": _track(process, step.thread),
        "ts": _us(start + offset),
        "dur": _us(_end(step, trace) - start),
        "args": _arguments(step, node),
    }


def _arguments(step: Step, node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"node": node.id, "name": node.name}
    found["module"] = node.module
    found["line"] = None if node.source is None else str(node.source)
    found["grad_outputs"] = _gradients(step.grad_outputs)
    found["grad_inputs"] = _gradients(step.grad_inputs)
    found["kernels"] = [
        f"{kernel.name} ({kernel.by})" if kernel.by else kernel.name for kernel in step.kernels
    ]
    found[".grad"] = None if step.accumulation is None else step.accumulation.how
    return {name: value for name, value in found.items() if value not in (None, [], ())}


def _gradients(all_stats: Sequence[GradStats | None]) -> list[str]:
    return ["none" if stats is None else _gradient(stats) for stats in all_stats]


def _gradient(stats: GradStats) -> str:
    numbers = {"norm": stats.norm, "mean": stats.mean, "largest": stats.max_abs}
    known = [f"{name} {number:.4g}" for name, number in numbers.items() if number is not None]
    counts = {"nan": stats.nans, "inf": stats.infs, "zero": stats.zeros}
    found = [str(stats.meta), *known, *(f"{many} {name}" for name, many in counts.items() if many)]
    return " ".join(found) + ("" if stats.unmeasured is None else f" not measured: {stats.unmeasured}")


def _arrows(step: Step, senders: Mapping[int, Step], process: int, offset: int) -> Iterator[Event]:
    """An arrow starts and ends at the beginning of a slice: that's how a viewer knows which slice is meant."""
    for part in step.contributions:
        sender = None if part.source is None else senders.get(part.source)
        if sender is None:
            continue
        which = (process << 40) + (sender.index << 12) + part.slot  # viewers read it as a number
        both = {"name": "gradient", "cat": "gradient", "pid": process, "id": which}
        left, arrived = _us((sender.started_ns or 0) + offset), _us((step.started_ns or 0) + offset)
        yield {"ph": "s", **both, "tid": _track(process, sender.thread), "ts": left}
        yield {"ph": "f", **both, "tid": _track(process, step.thread), "ts": arrived, "bp": "e"}


def _counter(name: str, changes: Sequence[tuple[int, int]], process: int, offset: int) -> Iterator[Event]:
    """``changes`` are times and differences; of those at one time only the sum is shown."""
    total, by_time = 0, dict.fromkeys(sorted(time for time, _ in changes), 0)
    for time, change in changes:
        by_time[time] += change
    for time, change in by_time.items():
        total += change
        yield {
            "ph": "C", "name": name, "pid": process, "tid": 0, "ts": _us(time + offset), "args": {"bytes": total}
        }  # fmt: skip


def _waiting(trace: Trace, ends: dict[int, int]) -> list[tuple[int, int]]:
    """A slot of an input buffer is taken from when its first gradient arrives until its node runs."""
    changes = []
    for step in trace.steps:
        first: dict[int, int] = {}
        for part in step.contributions:
            undefined = part.source is not None and part.stats is None
            if not undefined:
                first.setdefault(part.input_nr, 0 if part.source is None else ends.get(part.source, 0))
        for slot, arrived in first.items():
            size = _of_slot(trace.graph.node(step.node), slot)
            started = max(step.started_ns or 0, arrived)
            changes += [(arrived, size), (started, -size)]
    return changes


def _landed(trace: Trace, ends: dict[int, int]) -> list[tuple[int, int]]:
    return [
        (ends[step.node], _of_slot(trace.graph.node(step.node), 0))
        for step in trace.steps
        if step.accumulation is not None
        and step.accumulation.how in ("stole", "copied", "stole or copied", "replaced")
    ]


def _of_slot(node: Node, slot: int) -> int:
    """A slot's bytes; what isn't known counts nothing."""
    return (nbytes(node.grad_outputs[slot]) or 0) if slot < len(node.grad_outputs) else 0


def _end(step: Step, trace: Trace) -> int:
    """What never ended is drawn to the end of the backward."""
    start = step.started_ns or 0
    if step.duration_ns is not None:
        return start + step.duration_ns
    return max(start, trace.total_ns or 0)


def _length(trace: Trace) -> int:
    return max([trace.total_ns or 0, *(_end(step, trace) for step in trace.steps)])


def _track(process: int, thread: int) -> int:
    """A thread's number, another one in each process: viewers take equal ones for one thread."""
    return process * 1000 + thread


def _us(nanoseconds: int) -> float:
    return nanoseconds / 1000
