"""``check_engine``: is the glass engine the real one, on this graph?

Runs the native engine, watched, then the glass engine, on the same graph, and compares node by node what came in and
what went out, bit for bit, and every leaf's gradient.

Note [Not deterministic]
Some kernels give other bits each time (those that add in parallel in any order). So where anything differs the native
engine runs once more, on the same random numbers: if its bits differ from its own, the check says so and compares
within a tolerance. Some graphs run only once, even with ``retain_graph``: a hook takes what it kept from the forward,
a Function overwrites what it saved. If the second native run raises, or differs by more than the tolerance, that is
the verdict.

Note [What a check undoes]
Whatever the runs do to ``.grad``, of whichever tensor, is undone: see Note [Who touches .grad] in
``_torch/grad_access.py``. So are the random numbers. Other effects of hooks and Functions aren't: what they count,
send, take out of a list or write into other memory happens twice or, where something differs, three times.

Note [What nobody receives]
With ``inputs=`` some gradients go to nodes that aren't run. Whether a node computes such a one is its own affair (see
Note [Exec info] in ``exec_info.py``), so these aren't compared.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from autograd_lab._torch import glass as _glass, grad_access as _grad_access, tensors as _tensors
from autograd_lab._torch.run_node import Grads
from autograd_lab.backward import call
from autograd_lab.backward.bits import same_bits
from autograd_lab.backward.engine import Engine
from autograd_lab.backward.exec_info import asked_for, edge_of
from autograd_lab.backward.trace import trace
from autograd_lab.capture.outputs import Outputs
from autograd_lab.hold import Hold
from autograd_lab.records import Difference, Edge, EngineCheck, Kept, Trace

Same = Callable[[torch.Tensor | None, torch.Tensor | None], bool]


def check_engine(
    outputs: Outputs,
    model: torch.nn.Module | None = None,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    **engine_options: Any,
) -> EngineCheck:
    """Runs the native engine and the glass engine on the same graph, and compares order and every gradient.

    Leaves the graph, every ``.grad`` and the random state as they were, and takes room for a copy of all gradients.
    Hooks run in both; what else they do isn't undone. Post-accumulate-grad hooks run in neither, since they might
    change what's compared. A graph that runs only once even natively can't be compared: the check says so, and why.

    Args:
        outputs: As for ``Engine``.
        model: As for ``capture``.
        rtol: Relative tolerance, where the native engine itself isn't deterministic.
        atol: Absolute tolerance, likewise.
        engine_options: As for ``Engine``.

    Returns:
        What it found.

    Raises:
        GraphError: The outputs have no graph.
        ReleasedError: A compiled function in the graph runs only once; says what to do.
        RuntimeError: The native engine can't run this graph.

    Example:
        >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> print(check_engine((w * w).sum()))
        the same: 3 steps in the same order, 7 gradients with the same bits
    """
    options = {name: value for name, value in engine_options.items() if name != "accumulate"}
    options |= {"model": model, "stats": None}
    if (
        options.get("inputs") is not None
    ):  # as edges: of a tensor that is no leaf, backward retains the gradient for good
        options["inputs"] = [GradientEdge(*edge_of(item)) for item in asked_for(options["inputs"])]
    glass = _Observed(outputs, **options)
    with Hold() as held, _Random() as random:
        _put_grads_aside(held, glass, model)
        native = _native(outputs, options)
        after_native = random.rewind()
        difference = glass.ran_to_its_end()
        after_glass = random.rewind()
        compared = 0
        if difference is None:
            difference, compared = _compare(native, glass, same_bits, glass.receives)
        if difference is None and not all(map(torch.equal, after_native, after_glass)):
            difference = Difference("random_state")
        deterministic = True
        if difference is not None and difference.what != "random_state":
            close = functools.partial(_close, rtol=rtol, atol=atol)
            once, deterministic = _asked_again(native, outputs, options, close, glass.receives)
            if once is not None:
                difference = once
            elif not deterministic and difference.what.startswith("grad"):
                difference, compared = _compare(native, glass, close, glass.receives)
    return EngineCheck(len(native.steps), compared, difference, deterministic)


class _Observed(Engine):
    """Keeps every gradient, as ``trace(keep="all")`` does."""

    kept: dict[int, Kept]

    def __init__(self, outputs: Outputs, **options: Any) -> None:
        super().__init__(outputs, **options)
        self.kept = {}

    def _ran(self, node_id: int, grad_outputs: Grads, grad_inputs: Grads) -> None:
        self.kept[node_id] = Kept(tuple(map(_copied, grad_outputs)), tuple(map(_copied, grad_inputs)))

    def ran_to_its_end(self) -> Difference | None:
        """Runs it. Returns the error, if it raises one."""
        try:
            self.run()
        except Exception as error:
            name = None if self.failed is None else self.graph.nodes[self.failed].name
            return Difference("error", len(self.steps), self.failed, name, found=repr(error))
        return None

    def receives(self, node_id: int) -> bool:
        """Returns whether a node is run. See Note [What nobody receives]."""
        return self._exec_info.needed[node_id]

    def with_grad(self) -> Iterator[torch.Tensor]:
        """Returns the tensors whose ``.grad`` a native backward writes."""
        for leaf in self.graph.leaves:
            yield self.leaf(leaf.id)
        for results in self._tensor_hooks.alive().values():
            yield from (result for result in results if result.retains_grad)


def _copied(grad: torch.Tensor | None) -> torch.Tensor | None:
    with _tensors.unseen():
        return None if grad is None else grad.detach().clone()


def _native(outputs: Outputs, options: dict[str, Any]) -> Trace:
    try:
        return trace(outputs, **options, retain_graph=True, keep="all")
    except RuntimeError as error:
        call.say_plainly(None, error)
        raise


def _asked_again(
    native: Trace, outputs: Outputs, options: dict[str, Any], close: Same, receives: Callable[[int], bool]
) -> tuple[Difference | None, bool]:
    """Runs the native engine once more. See Note [Not deterministic].

    Returns:
        How it can't be run twice, if so; whether it gave the same bits again.
    """
    try:
        again = _native(outputs, options)
    except Exception as error:
        return Difference("runs_once", found=" ".join(f"{type(error).__name__}: {error}".split())), True
    if _compare(native, again, same_bits, receives)[0] is None:
        return None, True
    difference, _ = _compare(native, again, close, receives)
    return None if difference is None else difference._replace(what="runs_once"), False


# --- comparing -----------------------------------------------------------------------


def _compare(
    native: Trace, other: Trace | _Observed, same: Same, receives: Callable[[int], bool]
) -> tuple[Difference | None, int]:
    """Returns the first difference, and how many gradients were compared before it."""
    compared = 0
    for index, (theirs, ours) in enumerate(zip(native.steps, other.steps, strict=False)):
        node = native.graph.nodes[theirs.node]
        name = node.variable or node.name
        if theirs.node != ours.node:
            return Difference(
                "order", index, node.id, name, None, f"#{theirs.node}", f"#{ours.node}"
            ), compared
        for what in ("grad_outputs", "grad_inputs"):
            pairs = zip(getattr(native.kept[node.id], what), getattr(other.kept[node.id], what), strict=True)
            for slot, (expected, found) in enumerate(pairs):
                if what == "grad_inputs" and not _is_received(node.next[slot], receives):
                    continue
                compared += 1
                if not same(expected, found):
                    return Difference(
                        what, index, node.id, name, slot, _said(expected), _said(found)
                    ), compared
    if len(native.steps) != len(other.steps):
        return Difference("length", expected=str(len(native.steps)), found=str(len(other.steps))), compared
    for leaf in native.graph.leaves:
        expected, found = native.grads.get(leaf.variable or ""), other.grads.get(leaf.variable or "")
        compared += 1
        if not same(expected, found):
            return Difference(
                "grad", None, leaf.id, leaf.variable, None, _said(expected), _said(found)
            ), compared
    return None, compared


def _is_received(edge: Edge | None, receives: Callable[[int], bool]) -> bool:
    return edge is None or receives(edge.node)


def _close(a: torch.Tensor | None, b: torch.Tensor | None, rtol: float, atol: float) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and torch.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)


def _said(grad: torch.Tensor | None) -> str:
    """Returns a gradient as one line: its first elements, in full."""
    if grad is None:
        return "None"
    elements = _tensors.elements(grad)
    first: Sequence[Any] = [] if elements is None else elements.detach().reshape(-1)[:4].tolist()
    return f"{str(grad.dtype).removeprefix('torch.')}{list(elements.shape) if elements is not None else ''} {first}"


# --- leaving things as they were -------------------------------------------------------


def _put_grads_aside(held: Hold, glass: _Observed, model: torch.nn.Module | None) -> None:
    """Puts every ``.grad`` and the post-accumulate-grad hooks aside, and back. See Note [What a check undoes]."""
    parameters = () if model is None else model.parameters()
    tensors = tuple({id(tensor): tensor for tensor in (*glass.with_grad(), *parameters)}.values())
    _glass.put_post_accumulate_hooks_aside(held, tensors)
    _grad_access.keep_grads(held, tensors, same_bits)


class _Random(Hold):
    """The state of the random numbers, of the CPU and of each GPU if there are any in use; put back in the end."""

    def __enter__(self) -> _Random:
        super().__enter__()
        self._began = self._states()
        self.add(self.rewind)
        return self

    def rewind(self) -> list[torch.Tensor]:
        """Restores the state. Returns the one that it replaces."""
        came_to = self._states()
        torch.set_rng_state(self._began[0])
        if len(self._began) > 1:
            torch.cuda.set_rng_state_all(self._began[1:])
        return came_to

    @staticmethod
    def _states() -> list[torch.Tensor]:
        in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if in_use else ())]
