"""``to_tensorboard``: backwards among the other curves of a training, written by the user's own ``SummaryWriter``.

Relies on the records and ``draw``; TensorBoard itself is imported when there's a graph to write. Promises to call
nothing of the writer's but its public methods, to write nothing that a record doesn't know, and to leave the writer
open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autograd_lab.draw.plots.norms import norms
from autograd_lab.draw.write.graphdef import NUMBERED, Def, safe, to_graph_def
from autograd_lab.draw.write.namespaces import distinct
from autograd_lab.errors import OptionError, RenderError, article
from autograd_lab.records import Graph, Trace, are_traces

_PRODUCER = 22
"""The version of ``GraphDef`` that torch's own ``add_graph`` writes."""


def to_tensorboard(
    record: Graph | Trace | Sequence[Trace],
    writer: Any,
    *,
    tag: str = "backward",
    step: int | None = None,
    graph: bool = True,
) -> None:
    """Writes backwards for TensorBoard.

    The graph goes to TensorBoard's *Graphs*, with modules to open, and time and memory to colour by. The norm of the
    gradients that arrived at each layer's parameters is a scalar, ``"<tag> norm/<layer>"``, and that of all together
    ``"<tag> norm/all"``. Gradients that were kept (``keep="all"``) are histograms, ``"<tag> gradient/<parameter>"``.

    Args:
        record: A graph, a trace, or the traces of a ``watch``.
        writer: A ``torch.utils.tensorboard.SummaryWriter``, or one that has its methods. It is neither flushed nor
            closed.
        tag: What the names of the curves begin with.
        step: At which step of the training a single trace stands; ``None`` takes its number in the ``watch``.
        graph: Whether the graph is written: that of the first trace. TensorBoard keeps one for each run, the last.

    Raises:
        OptionError: It's no writer, or ``step`` is given for several traces or for a graph.
        RenderError: TensorBoard isn't installed, or it's no record that can be written.

    Source:
        The `GraphDef of TensorBoard
        <https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/graph.proto>`_.

    Example:
        >>> import autograd_lab as lab
        >>> class Curves(dict):
        ...     file_writer = None
        ...     def add_scalar(self, tag, value, step):
        ...         self[tag, step] = value
        >>> node = lab.Node(0, "AccumulateGrad", "accumulate", 1, variable="fc.weight")
        >>> came = lab.GradStats(lab.TensorMeta((2,), "float32", "cpu"), norm=3.0)
        >>> trace = lab.Trace(lab.Graph((node,), ()), (lab.Step(0, 0, (came,)),), number=20)
        >>> curves = Curves()
        >>> to_tensorboard(trace, curves, graph=False)
        >>> curves
        {('backward norm/fc', 20): 3.0, ('backward norm/all', 20): 3.0}
    """
    traces = _traces(record)
    if step is not None and len(traces) != 1:
        raise OptionError(
            "step= is where a single trace stands; several have their numbers, and a graph has none"
        )
    _check(writer, tag, step, histograms=any(trace.grads for trace in traces))
    if graph:
        _add_graph(writer, record if isinstance(record, Graph) else traces[0])
    for trace in traces:
        if trace.within is None:
            _add_numbers(writer, trace, tag, trace.number if step is None else step)


def _check(writer: object, tag: object, step: object, *, histograms: bool) -> None:
    needed = ("file_writer", "add_scalar", "add_histogram") if histograms else ("file_writer", "add_scalar")
    if missing := [name for name in needed if not hasattr(writer, name)]:
        raise OptionError(
            f"writer is {article(type(writer).__name__)}; give a torch.utils.tensorboard.SummaryWriter, which has "
            f"{missing[0]}"
        )
    if not isinstance(tag, str):
        raise OptionError(
            f"tag is what the names of the curves begin with, a text, not {article(type(tag).__name__)}"
        )
    if step is not None and (isinstance(step, bool) or not isinstance(step, int)):
        raise OptionError(f"step is a whole number, not {article(type(step).__name__)}")


def _traces(record: object) -> Sequence[Trace]:
    if isinstance(record, Graph):
        return ()
    if isinstance(record, Trace):
        return (record,)
    if are_traces(record):
        return record
    raise RenderError(
        "to_tensorboard takes a Graph, a Trace or a list of traces that isn't empty, not "
        f"{article(type(record).__name__)}"
    )


# --- curves --------------------------------------------------------------------------


def _add_numbers(writer: Any, trace: Trace, tag: str, step: int) -> None:
    found = {} if not _is_measured(trace) else by_layer(trace)
    for layer, norm in found.items():
        writer.add_scalar(f"{tag} norm/{layer}", norm, step)
    if found:
        writer.add_scalar(f"{tag} norm/all", math.hypot(*found.values()), step)
    called = _readable(trace.grads)
    for name, gradient in trace.grads.items():
        values = _values(gradient)
        if values is not None:
            writer.add_histogram(f"{tag} gradient/{called[name]}", values, step)


def _is_measured(trace: Trace) -> bool:
    return any(stats is not None for step in trace.steps for stats in step.grad_outputs)


def by_layer(trace: Trace) -> Mapping[str, float]:
    """Returns the norm of the gradients that arrived at each layer's parameters.

    Args:
        trace: A trace with statistics.

    Returns:
        Layer → norm, the model's first on top. A layer of which no gradient came, or one that couldn't be measured, is
        left out.
    """
    parts: dict[str, list[float | None]] = {}
    for name, norm in norms(trace).items():
        into = parts.setdefault(name.rpartition(".")[0] or name, [])
        if norm is not None:
            into.append(None if isinstance(norm, str) else float(norm))
    called = _readable(parts)
    return {
        called[layer]: math.hypot(*_known(each)) for layer, each in parts.items() if each and None not in each
    }


def _known(norms: Iterable[float | None]) -> list[float]:
    return [norm for norm in norms if norm is not None]


def _readable(names: Iterable[str]) -> dict[str, str]:
    """What each is called in a curve's name; those that are alike without their slashes are numbered.

    TensorBoard groups curves by what stands before a slash, and here that is the tag alone.
    """
    taken: set[str] = set()
    return {
        name: distinct(name.replace("/", "_").strip() or safe(""), taken, NUMBERED)
        for name in dict.fromkeys(names)
    }


def _values(gradient: Any) -> Any:
    """The finite numbers of a tensor, which is all that a histogram can hold; ``None`` if there are none.

    The writer makes half-precision numbers of bfloat16, of which the small ones are zero.
    """
    values = gradient.detach()
    if values.device.type == "meta":
        return None
    if values.is_sparse:
        values = values.coalesce().values()
    if values.is_complex():
        values = values.abs()
    values = values.double().flatten()
    values = values[values.isfinite()]
    return values.cpu() if values.numel() else None


# --- the graph -----------------------------------------------------------------------


def _add_graph(writer: Any, record: Graph | Trace) -> None:
    try:
        from tensorboard.compat.proto.config_pb2 import RunMetadata
        from tensorboard.compat.proto.graph_pb2 import GraphDef
        from tensorboard.compat.proto.step_stats_pb2 import StepStats
        from tensorboard.compat.proto.versions_pb2 import VersionDef
    except ImportError as error:
        raise RenderError(
            "a graph for TensorBoard needs tensorboard: pip install tensorboard, or leave it out with graph=False"
        ) from error
    if writer.file_writer is None:
        raise OptionError("the writer is closed; make another SummaryWriter, or write before it is closed")
    defs = to_graph_def(record)
    made = GraphDef(node=map(_node, defs), versions=VersionDef(producer=_PRODUCER))
    stats = RunMetadata(step_stats=StepStats(dev_stats=_dev_stats(defs)))
    writer.file_writer.add_graph((made, stats))


def _node(node: Def) -> Any:
    from tensorboard.compat.proto.attr_value_pb2 import AttrValue
    from tensorboard.compat.proto.node_def_pb2 import NodeDef
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

    shapes = [
        TensorShapeProto(unknown_rank=True)
        if shape is None
        else TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape])
        for shape in node.shapes
    ]
    attributes = {key: AttrValue(s=text.encode("utf-8", "replace")) for key, text in node.attributes}
    if shapes:
        attributes["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=shapes))
    return NodeDef(name=node.name, op=node.op, input=node.inputs, device=node.device, attr=attributes)


def _dev_stats(defs: Sequence[Def]) -> list[Any]:
    """Time and memory of the nodes that ran, by device: what the plugin can colour by."""
    from tensorboard.compat.proto.step_stats_pb2 import AllocatorMemoryUsed, DeviceStepStats, NodeExecStats

    return [
        DeviceStepStats(
            device=device,
            node_stats=[
                NodeExecStats(
                    node_name=node.name,
                    all_start_micros=node.start_us,
                    all_end_rel_micros=node.duration_us,
                    memory=[AllocatorMemoryUsed(allocator_name="saved", total_bytes=node.saved)],
                )
                for node in defs
                if node.device == device
            ],
        )
        for device in dict.fromkeys(node.device for node in defs)
    ]
