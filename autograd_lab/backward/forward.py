"""What the forward did: in which module, at which line and by which call each node was made.

Three watchers write into one *timeline* for each thread: hooks that torch calls around every module, a
``TorchFunctionMode`` around every call of a torch function, and ``watch`` around every backward. An entry says: from
this ``sequence_nr`` on, nodes are made here. No node is looked at while the forward runs.

Note [Compiled modules]
A compiled module is guarded by what surrounds it: with hooks around modules or a ``TorchFunctionMode`` it would be
compiled anew, with its inputs in another order. So while a compiled module runs, hooks and mode are taken away; the
one node that it makes is seen all the same. Of ``torch.compile(function)`` and ``model.compile()`` nothing is called
that could be hooked. There the hooks are compiled along, to nothing, and torch compiles once more for the watch.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch.nn.modules import module as hooks

from autograd_lab._torch import engine as _engine
from autograd_lab._torch import forward as _forward
from autograd_lab._torch import modules as _modules
from autograd_lab._torch import tensors as _tensors
from autograd_lab.backward.modules import ModuleCall, Roots
from autograd_lab.backward.places import place, source
from autograd_lab.backward.stats import Measure, Meter, bring
from autograd_lab.backward.timeline import UNKNOWN, Called, State, Timeline
from autograd_lab.capture.models import Models
from autograd_lab.errors import OptionError
from autograd_lab.records import Call, Graph, Node, Source

Level: TypeAlias = Literal["meta", "stats"] | None

KEPT = 256
"""What was made more than this many backwards ago, and never freed by one, is forgotten."""


class Forward:
    """Watches the forward from ``enter`` to ``leave``.

    Args:
        roots: The models.
        level: What is kept of what a call made: ``"meta"``, ``"stats"`` or nothing.

    Raises:
        OptionError: ``level`` isn't one.
    """

    def __init__(self, roots: Roots, level: Level) -> None:
        if level not in (None, "meta", "stats"):
            raise OptionError(f"forward={level!r} isn't one; use 'meta', 'stats' or None")
        self._roots = roots
        self._meter = {None: None, "meta": Meter("meta"), "stats": Meter("norm")}[level]
        self._timelines: dict[int, Timeline] = {}
        self._stacks = threading.local()
        self._calls = 0
        self._ages: deque[dict[int, int]] = deque()
        self._mode = _forward.CallWatch(self._called)
        self.active = True
        self._thread = 0
        self._hooks: list[Any] = []
        self._undo: Callable[[], None] = lambda: None

    @property
    def active(self) -> bool:
        """Whether what is seen is noted."""
        return self._mode.listens

    @active.setter
    def active(self, active: bool) -> None:
        self._mode.listens = active

    # --- on and off --------------------------------------------------------------------

    def enter(self) -> None:
        """Begins: in this thread for calls, in every thread for modules."""
        self._thread = threading.get_ident()
        self._timeline()
        self._undo = _forward.quiet()
        self._hook()
        _forward.enter(self._mode)

    def leave(self) -> None:
        """Ends. Nothing is left behind."""
        _forward.leave(self._mode)
        self._unhook()
        self._undo()
        self._timelines.clear()
        self._ages.clear()
        self._stacks = threading.local()

    # --- what is seen ------------------------------------------------------------------

    def _module_begins(self, module: torch.nn.Module, _args: Any) -> None:
        if torch.compiler.is_compiling():
            return
        if self.active and _modules.is_called_functionally() and not _engine.in_transform():
            self._roots.replaced(module)
        inner = _forward.compiled_from(module)
        aside = (inner is not None or _forward.makes_no_graph(module)) and _forward.leave(self._mode)
        self._stack().append(_Entry(inner or module, aside=aside))
        self._note_around()
        if inner is not None:
            self._leave_alone(module)

    def _leave_alone(self, compiled: torch.nn.Module) -> None:
        """Takes the hooks away until a compiled module's call is over. See Note [Compiled modules]."""
        self._unhook()

        def over(module: torch.nn.Module, args: Any, output: Any) -> None:
            handle.remove()
            self._hook()
            self._module_ends(module, args, output)

        handle = compiled.register_forward_hook(over, always_call=True)

    def _hook(self) -> None:
        self._hooks = [
            hooks.register_module_forward_pre_hook(self._module_begins),
            hooks.register_module_forward_hook(self._module_ends, always_call=True),
        ]

    def _unhook(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _module_ends(self, _module: torch.nn.Module, _args: Any, _output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        stack = self._stack()
        if len(stack) > 1:  # else the watch began inside the module
            if stack.pop().aside:
                _forward.enter(self._mode)
            self._note_around()

    def _called(self, func: Any, begin: int, result: Any) -> None:
        timeline = self._timeline()
        if timeline.latest > begin:  # then what it called has been noted
            return
        self._calls += 1
        around = self._around()
        called = Called(func, self._calls, place(), self._measured(result))
        timeline.note(begin, State(around, called))
        timeline.note(_forward.next_sequence_nr(), State(around))

    def _measured(self, result: Any) -> tuple[Measure, ...]:
        if self._meter is None or _engine.in_transform():
            return ()
        made = (
            [result] if isinstance(result, torch.Tensor) else result if isinstance(result, Sequence) else ()
        )
        with _tensors.no_torch_function():
            measures = [
                self._meter.measure(tensor)
                for tensor in made
                if isinstance(tensor, torch.Tensor) and tensor.requires_grad
            ]
        return tuple(measure for measure in measures if measure is not None)

    @contextlib.contextmanager
    def backward(self, name: str) -> Iterator[None]:
        """While a backward runs: it's in no module, counts the calls in it anew, and what it makes is its own.

        Args:
            name: What was called.
        """
        stack = self._stack()
        stack.append(_Entry(call=_outside()))
        self._calls += 1
        if self.active:
            self._note(State(called=Called(name, self._calls, place(), ())))
        # Called through the mode, ``Tensor.backward`` runs without it: see torch.overrides, _pop_mode_temporarily.
        again = threading.get_ident() == self._thread and not _forward.is_active(self._mode)
        if again:
            _forward.enter(self._mode)
        try:
            yield
        finally:
            if again:
                _forward.leave(self._mode)
            stack.pop()
            self._note_around()

    def naming(self) -> Models:
        """Returns what ``capture`` takes as ``model``, for the modules that were called."""
        return self._roots.naming()

    def know(self, model: torch.nn.Module) -> None:
        """Takes a model for the one whose forward this was: its modules are called by its names."""
        self._roots.know(model)

    # --- what is told ------------------------------------------------------------------

    def annotated(self, graph: Graph) -> Graph:
        """Gives a graph whose nodes know where they were made. See Note [One timeline a thread] in ``timeline.py``."""
        states = self._states(graph)
        bring(
            measure for state in states.values() if state.called is not None for measure in state.called.made
        )
        written: dict[int, tuple[Call, Source | None]] = {}

        def annotate(node: Node) -> Node:
            state = states.get(node.id, UNKNOWN)
            if state is UNKNOWN:
                return node
            module = None if state.module is None else self._roots.full_path(state.module)
            called = state.called
            if called is None:
                return node._replace(module=module)
            call, line = written.get(called.number) or written.setdefault(called.number, _written(called))
            return node._replace(module=module, source=line or node.source, call=call)

        return Graph(tuple(map(annotate, graph.nodes)), graph.roots)

    def _states(self, graph: Graph) -> dict[int, State]:
        """In what state this thread was when it made each node, or else another one; by id."""
        own = self._timeline()
        others = [timeline for timeline in self._timelines.values() if timeline is not own]
        states = {}
        for node in graph.nodes:
            if node.kind == "accumulate":
                continue
            state = own.at(node.sequence_nr)
            for other in others:
                state = other.at(node.sequence_nr) if state is UNKNOWN else state
            states[node.id] = state
        return states

    def forget(self, freed: Graph) -> None:
        """Strikes out what was made of a graph that is gone."""
        numbers = frozenset(node.sequence_nr for node in freed.nodes)
        for timeline in self._timelines.values():
            timeline.forget(numbers)

    def grow_older(self) -> None:
        """An outermost backward is over: calls are counted anew, and what is too old to be met again is struck out."""
        for entry in self._stack():
            if entry.call is not None:
                entry.call.counts.clear()
        self._ages.append({thread: timeline.latest for thread, timeline in self._timelines.items()})
        if len(self._ages) > KEPT:
            for thread, latest in self._ages.popleft().items():
                self._timelines[thread].forget(before=latest)

    def _note_around(self) -> None:
        """From here on, nodes are made in the call that is running now."""
        if self.active:
            self._note(State(self._around()))

    def _note(self, state: State) -> None:
        self._timeline().note(_forward.next_sequence_nr(), state)

    def _timeline(self) -> Timeline:
        thread = threading.get_ident()
        if thread not in self._timelines:
            self._timelines[thread] = Timeline(_forward.next_sequence_nr())
        return self._timelines[thread]

    def _stack(self) -> list[_Entry]:
        stack: list[_Entry] | None = getattr(self._stacks, "stack", None)
        if stack is None:
            stack = self._stacks.stack = [_Entry(call=_outside())]
        return stack

    def _around(self) -> ModuleCall:
        """Gives the call that is running; it's looked for when it's first asked for, since most are never noted."""
        outer: ModuleCall | None = None
        for entry in self._stack():
            if entry.call is None:
                assert entry.module is not None
                assert outer is not None
                entry.call = self._roots.call(entry.module, outer)
            outer = entry.call
        assert outer is not None
        return outer


@contextlib.contextmanager
def noting(model: torch.nn.Module | None = None) -> Iterator[Forward]:
    """Notes the forward in the block, for those who look at its graph inside the block.

    Args:
        model: As for ``watch``.

    Returns:
        A context manager that gives the ``Forward``, whose ``annotated`` tells what was noted.
    """
    forward = Forward(Roots(model), "meta")
    forward.enter()
    try:
        yield forward
    finally:
        forward.leave()


class _Entry:
    """A running call: of which module, and whether the mode stepped aside for it."""

    __slots__ = ("aside", "call", "module")

    def __init__(
        self, module: torch.nn.Module | None = None, *, call: ModuleCall | None = None, aside: bool = False
    ) -> None:
        self.module = module
        self.call = call
        self.aside = aside


def _outside() -> ModuleCall:
    return ModuleCall(None, "", "", {})


def _written(called: Called) -> tuple[Call, Source | None]:
    name = called.func if isinstance(called.func, str) else _forward.function_name(called.func)
    return Call(name, called.number, tuple(measure.finish() for measure in called.made)), source(called.place)
