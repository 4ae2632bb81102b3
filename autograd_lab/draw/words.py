"""What records hold, in words: the wording that tables, pictures, plots and the command line share.

Relies on the records and ``digits``. Promises texts of one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from autograd_lab.draw import digits
from autograd_lab.errors import escaped
from autograd_lab.records import GradStats, Graph, Node, Saved, Source, TensorMeta, Trace

_MOST_METAS = 3
_MOST_IDS = 8
_LONGEST = 40


# --- gradients and tensors -----------------------------------------------------------


def metas(found: tuple[TensorMeta, ...]) -> str:
    """Writes what flows into a node's input slots, briefly.

    Args:
        found: One for each slot.

    Returns:
        One after another; many alike as ``64 × f32[2,3]``, the rest of many others as a number.

    Example:
        >>> metas((TensorMeta((2,), "float32", "cpu"),) * 4), metas((TensorMeta((), "int64", "cpu"),))
        ('4 × f32[2]', 'i64[]')
    """
    texts = [str(meta) for meta in found]
    if len(texts) > 2 and len(set(texts)) == 1:
        return f"{len(texts)} × {texts[0]}"
    if len(texts) > _MOST_METAS:
        texts[_MOST_METAS:] = [f"… {len(texts) - _MOST_METAS} more"]
    return ", ".join(texts)


def place(source: Source) -> str:
    """Writes a place in the user's code without its folders.

    Args:
        source: The place.

    Returns:
        ``file:line``.

    Example:
        >>> place(Source("/home/me/train.py", 12, "loss_of"))
        'train.py:12'
        >>> place(Source("/tmp/ipykernel_8417/1375962546.py", 2, "forward"))
        'cell:2'
    """
    file = source.file.replace("\\", "/")
    return escaped(f"{'cell' if _CELL.search(file) else file.rpartition('/')[2]}:{source.line}")


_CELL = re.compile(r"/ipykernel_\d+/\d+\.py$|^<ipython-input-")
"""What IPython takes a notebook's cell for: a number says nothing to anybody."""


def gradient(stats: GradStats | None) -> str:
    """Writes a gradient in a word or two.

    Args:
        stats: Its statistics.

    Returns:
        Its norm, and what is wrong with it, or why it couldn't be measured; ``"–"`` where there is none.

    Example:
        >>> meta = GradStats(None, norm=8.0).meta
        >>> gradient(GradStats(meta, norm=8.0)), gradient(GradStats(meta, norm=float("nan"), nans=2)), gradient(None)
        ('8', 'nan (2 nan)', '–')
    """
    if stats is not None and stats.unmeasured is not None:
        return f"not measured: {stats.unmeasured}"
    if stats is None or stats.norm is None:
        return "–"
    wrong = [f"{number} {what}" for number, what in ((stats.nans, "nan"), (stats.infs, "inf")) if number]
    return digits.number(stats.norm) + (f" ({', '.join(wrong)})" if wrong else "")


def brief(stats: GradStats | None) -> str:
    """Returns the same without the reason why a gradient couldn't be measured, which stands where it came in.

    Args:
        stats: Its statistics.

    Returns:
        As ``gradient``; ``"not measured"`` where it couldn't be.

    Example:
        >>> brief(GradStats(None, unmeasured="quantized")), gradient(GradStats(None, unmeasured="quantized"))
        ('not measured', 'not measured: quantized')
    """
    return "not measured" if stats is not None and stats.unmeasured is not None else gradient(stats)


def without_gradient(trace: Trace) -> list[str]:
    """Returns the names of the parameters that a backward brought nothing, whether it reached them or not.

    Example:
        >>> without_gradient(Trace(Graph((), (), unreached=("fc.bias",)), ()))
        ['fc.bias']
    """
    nodes = (
        trace.graph.node(step.node)
        for step in trace.steps
        if step.accumulation is not None and step.accumulation.how == "nothing"
    )
    return [*trace.graph.unreached, *(node.variable or node.name for node in nodes)]


# --- what is saved -------------------------------------------------------------------


def called(saved: Saved, *, shape: bool = True) -> str:
    """Writes which variable a saved tensor is.

    Args:
        saved: The tensor.
        shape: Whether a view's shape is written too.

    Returns:
        The variable's name, and how the tensor looks at its memory if it is a view of it; empty for one without a name.

    Example:
        >>> from autograd_lab.records import TensorMeta
        >>> called(Saved("mat2", variable="fc.weight", view="transposed"))
        'fc.weight, transposed'
        >>> called(Saved("self", TensorMeta((6,), "float32", "cpu"), variable="w", view="view"))
        'w, view f32[6]'
    """
    if saved.variable is None:
        return ""
    if saved.view is None:
        return saved.variable
    meta = f" {saved.meta}" if shape and saved.view == "view" and saved.meta is not None else ""
    return f"{saved.variable}, {saved.view}{meta}"


def state(saved: Saved) -> str:
    """Says which look a saved value has.

    Args:
        saved: Any saved value.

    Returns:
        ``"saved"``, ``"released"`` or ``"packed"`` for tensors, ``"value"`` for what is no tensor.

    Example:
        >>> state(Saved("self", released=True)), state(Saved("alpha", value=1))
        ('released', 'value')
    """
    if saved.released:
        return "released"
    if saved.packed is not None:
        return "packed"
    return "value" if saved.meta is None else "saved"


def value(saved: Saved) -> str:
    """Writes a saved value that is no tensor.

    Args:
        saved: The value.

    Returns:
        Python's own text for it, cut where it's long.

    Example:
        >>> value(Saved("dim", value=(0, 1)))
        '(0, 1)'
    """
    text = str(saved.value) if not isinstance(saved.value, str) else repr(saved.value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def held(nodes: Iterable[Node]) -> str:
    """Writes how many bytes the saved tensors of some nodes keep alive, each storage counted once.

    Args:
        nodes: The nodes.

    Returns:
        What is kept for the graph, and what parameters and buffers keep anyway; empty where nothing is kept.

    Example:
        >>> x = Saved("mat1", nbytes=24, storage=0, storage_nbytes=24)
        >>> w = Saved("mat2", nbytes=2048, storage=1, storage_nbytes=2048, owner="parameter")
        >>> held([Node(0, "MmBackward0", "op", 0, saved=(x, w))])
        '24 B + 2 KiB of parameters'
        >>> held([Node(0, "MmBackward0", "op", 0, saved=(w,))])
        '2 KiB of parameters'
    """
    graph = Graph(tuple(nodes), ())
    kept = [saved for node in graph.nodes for saved in node.saved]
    return figures(graph.saved_activation_nbytes, graph.saved_parameter_nbytes, kept)


def figures(activations: int, parameters: int, saved: Iterable[Saved]) -> str:
    """Writes the two figures.

    Args:
        activations: Bytes kept for the graph.
        parameters: Bytes in parameters and buffers.
        saved: What these are of.

    Returns:
        The figures that aren't 0.

    Example:
        >>> figures(24, 8, [Saved("running_mean", owner="buffer")])
        '24 B + 8 B of buffers'
    """
    owners = {f"{each.owner}s" for each in saved if each.owner is not None}
    parts = [digits.nbytes(activations)] if activations else []
    if parameters:
        parts.append(f"{digits.nbytes(parameters)} of {' and '.join(sorted(owners, reverse=True))}")
    return " + ".join(parts)


# --- lists ---------------------------------------------------------------------------


def ids(nodes: tuple[int, ...]) -> str:
    """Writes the ids of several nodes.

    Args:
        nodes: The ids.

    Returns:
        One after another, the rest of many as a number.

    Example:
        >>> ids((1, 2, 5)), ids(tuple(range(40)))
        ('1, 2, 5', '0, 1, 2, 3, 4, 5, 6, 7, … 32 more')
    """
    return some([str(node) for node in nodes])


def some(names: Sequence[str], most: int = _MOST_IDS) -> str:
    """Writes a list of names.

    Args:
        names: The names.
        most: How many are written out.

    Returns:
        One after another, the rest of many as a number.

    Example:
        >>> some(["a", "b"]), some([str(number) for number in range(40)])
        ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, … 32 more')
    """
    more = [f"… {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(escaped, names[:most]), *more])
