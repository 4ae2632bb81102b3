"""How a Python Function's node is run.

Relies on ``torch.autograd.function.BackwardCFunction.apply`` and ``apply_boxed``, which the native engine looks up on
the node: see Note [A Function's turn]. Without them a Function would be given ``None`` where it counts on zeros, and
its gradients could reach the wrong operands.

Note [A Function's turn]
Three things about a Python Function are known in C++ only: what the zeros look like that it gets for undefined
gradients (``output_info``), whether it wants any (``materialize_grads``), and which arguments of its ``forward`` were
tensors, so which of the gradients that it returns has an edge (``is_variable_input``). So the native engine runs it:
it's started at this one node. It calls the hooks on the node's tensors, the node's pre-hooks, then ``apply``; it checks
what that returned and makes it fit the edges (``PyNode::apply``, ``validate_outputs``). An ``apply`` on the node itself
is called in the place of the class's, and calls that. A post-hook of the lab's, with the others put aside, sees the
result, and raises an exception so that nothing is sent on.

The native engine can't be started with an undefined gradient. Where all of them are, it's started with zeros, which a
pre-hook of the lab's makes undefined again before the user's pre-hooks see them. Hooks on tensors come earlier: those
that are known are put aside meanwhile, and were called with ``None`` before.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import GradientEdge, Node

from autograd_lab._torch import hooks as _hooks, tensors as _tensors, which_backward as _which_backward
from autograd_lab._torch.retained import NothingRetained
from autograd_lab._torch.run_node import Grads
from autograd_lab.hold import Hold

NodeBegins = Callable[[Grads, int], object]
"""Is called when a Function's backward begins, with its gradients and the time."""


class Ran(NamedTuple):
    """A Function's turn.

    Attributes:
        hooked: What the hooks on its tensors had made of the gradients.
        came: What the pre-hooks had made of them; undefined ones still so.
        returned: One for each edge, before the node's post-hooks.
        had_hooks: Whether there were post-hooks before it ran.
        started_ns: When its backward began, by ``time.perf_counter_ns``.
        ended_ns: When its backward ended.
    """

    hooked: Grads
    came: Grads
    returned: Grads
    had_hooks: bool
    started_ns: int
    ended_ns: int


class _OverError(Exception):
    """Leaves the native engine when it has run the node."""


class RefusedError(RuntimeError):
    """What a Function returned can't be passed on; torch's own message."""


def is_function(node: Node) -> bool:
    """Returns whether a node is a Python Function's."""
    return isinstance(node, BackwardCFunction)


def run(
    node: Any,
    grads: Grads,
    slot: int,
    known: Sequence[Any],
    *,
    create_graph: bool,
    writes_grad: bool,
    begins: NodeBegins,
) -> Ran:
    """Runs a Python Function's node, all but its post-hooks. See Note [A Function's turn].

    Args:
        node: The node.
        grads: One for each slot.
        slot: One that something was sent to.
        known: Where all gradients are undefined, the dictionaries of the hooks on its tensors that are known.
        create_graph: Whether gradients are enabled.
        writes_grad: Whether tensors that retain their gradient get it.
        begins: Is told when its backward begins.

    Returns:
        What it did.

    Raises:
        RefusedError: What it returned can't be passed on.
    """
    slots = [i for i, grad in enumerate(grads) if grad is not None]
    given = tuple([grads[i] for i in slots]) or (_zeros(node, slot),)
    edges = tuple([GradientEdge(node, i) for i in slots or (slot,)])
    turn = _Turn(node, begins, undefined=not slots)
    del grads  # a Function may ask who else holds a gradient
    onward = tuple([GradientEdge(*edge) for edge in node.next_functions if edge[0] is not None][:1])
    with Hold() as held:
        turn.put_on(held, known)
        if not writes_grad:
            turn.mode = NothingRetained(create_graph=create_graph)
            turn.mode.put_on(held)
        try:
            _which_backward.native_engine().run_backward(
                edges, given, True, create_graph, onward, allow_unreachable=True, accumulate_grad=not onward
            )
        except _OverError:
            pass
        except RuntimeError as error:
            if turn.ended_ns and not turn.is_over:  # no code but torch's runs in between
                raise RefusedError(str(error)) from None
            raise
    return turn.record()


class _Turn(_hooks.Own):
    """What stands in a node's place while the native engine runs it."""

    def __init__(self, node: Any, begins: NodeBegins, *, undefined: bool) -> None:
        self.node = node
        self.begins = begins
        self.undefined = undefined
        self.told = _which_backward.told_here()
        self.mode: NothingRetained | None = None
        self.hooked: Grads = ()
        self.came: Grads = ()
        self.returned: Grads = ()
        self.had_hooks = False
        self.started_ns = self.ended_ns = 0
        self.is_over = False
        self._early: _Early | None = None
        self._is_defined: list[bool] = []
        self._before: Any = {}
        self._after: Any = {}
        self._aside: list[tuple[Any, Any, Any]] = []
        self._held = Hold()

    def record(self) -> Ran:
        """Returns what it did."""
        return Ran(self.hooked, self.came, self.returned, self.had_hooks, self.started_ns, self.ended_ns)

    def put_on(self, held: Hold, known: Sequence[Any]) -> None:
        """Puts the lab's hooks and ``apply`` on the node, and hooks that mustn't see the zeros aside."""
        self._held = held
        held.add(self._take_off)
        with _hooks.reading_allowed():
            self.had_hooks = bool(_hooks.post_hooks(self.node))
            early = self._early = _Early(self)
            self._before = _hooks.put_before(held, self.node, early)
            _make_first(held, self._before, early)
            _hooks.put_before(held, self.node, self)
            self._after = _hooks.put_after(held, self.node, self)
        for hooks in known:
            self._put_aside(hooks)
        self.node.apply, self.node.apply_boxed = self.apply, self.apply_boxed  # shadow the class's

    def _take_off(self) -> None:
        own = vars(self.node)
        own.pop("apply", None)
        own.pop("apply_boxed", None)
        self._before.pop(self._early, None)
        self._before.pop(self, None)
        self._after.pop(self, None)
        self.put_back()
        self._early = None  # which refers back, so that all gradients would stay

    def _put_aside(self, hooks: Any) -> None:
        for key, hook in tuple(hooks.items()):
            if key is not self:
                self._aside.append((hooks, key, hook))
                hooks.pop(key, None)

    def put_back(self) -> None:
        """Puts hooks back where they were."""
        while self._aside:
            hooks, key, hook = self._aside[0]
            hooks[key] = hook
            self._aside.pop(0)

    def before(self, grad_outputs: Grads, /) -> None:
        """Is the last pre-hook."""
        self._is_defined = [grad is not None for grad in grad_outputs]

    def after(self, grad_inputs: Grads, grad_outputs: Grads, /) -> None:
        """Is the only post-hook."""
        del grad_outputs
        self.returned, self.is_over = grad_inputs, True
        self.put_back()
        if torch.is_anomaly_enabled():  # which would tell of the exception
            anomaly = functools.partial(torch.set_anomaly_enabled, True, torch.is_anomaly_check_nan_enabled())
            self._held.add(anomaly)
            torch.set_anomaly_enabled(False)
        raise _OverError

    def apply(self, *grads: torch.Tensor | None) -> Any:
        """Runs the Function's backward."""
        return self._run(type(self.node).apply, grads, grads)

    def apply_boxed(self, grads: list[torch.Tensor | None]) -> Any:
        """Runs a backward that takes its gradients in a list, and may empty it."""
        return self._run(type(self.node).apply_boxed, tuple(grads), (grads,))

    def _run(self, apply: Any, grads: Grads, arguments: tuple[Any, ...]) -> Any:
        __tracebackhide__ = True
        pairs = zip(grads, self._is_defined, strict=True)
        self.came = tuple([grad if is_defined else None for grad, is_defined in pairs])
        del grads, pairs
        with Hold() as held:
            _which_backward.tell(held, self.told)  # a device has a thread of its own
            if self.mode is not None:
                self.mode.put_aside(held)
            self.started_ns = time.perf_counter_ns()
            self.begins(self.came, self.started_ns)
            result = apply(self.node, *arguments)
            self.ended_ns = time.perf_counter_ns()
        self._put_aside(self._after)
        return result


class _Early(_hooks.Own):
    """The first of a node's pre-hooks."""

    __slots__ = ("_turn",)

    def __init__(self, turn: _Turn) -> None:
        self._turn = turn

    def before(self, grad_outputs: Grads, /) -> Any:
        """Sees what the hooks on the tensors made of the gradients; makes zeros undefined again."""
        self._turn.put_back()
        if self._turn.undefined:
            grad_outputs = (None,) * len(grad_outputs)
        self._turn.hooked = grad_outputs
        return grad_outputs if self._turn.undefined else None


def _make_first(held: Hold, hooks: Any, key: Any) -> None:
    """Makes a hook the first in its dictionary; torch goes by the order of insertion, not by an ``OrderedDict``'s."""
    moving: dict[Any, Any] = {}
    held.add(lambda: [hooks.setdefault(*item) for item in moving.items()])
    for other in [each for each in hooks if each is not key]:
        moving[other] = hooks[other]
        del hooks[other]
        hooks[other] = moving[other]
        moving.clear()


def _zeros(node: Any, slot: int) -> torch.Tensor:
    """A gradient to start with, where there is none."""
    metadata = node._input_metadata[slot]
    with _tensors.unseen():
        return torch.zeros(metadata.shape, dtype=metadata.dtype, device=metadata.device)
