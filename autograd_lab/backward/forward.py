"""What the forward did: in which module, at which line and by which call each node was made.

Three watchers write into one *timeline* for each thread: hooks that torch calls around every module, a
``TorchFunctionMode`` around every call of a torch function, and ``watch`` around every backward. An entry says: from
this ``sequence_nr`` on, nodes are made here. No node is looked at while the forward runs.

Note [Compiled modules]
A compiled module is guarded by what surrounds it: with hooks around modules or a ``TorchFunctionMode`` it would be
compiled anew, with its inputs in another order. So while a compiled module runs, hooks and mode are taken away; the
one node that it makes is seen all the same. ``torch.compile(function)`` and ``model.compile()`` call nothing
that could be hooked: there the hooks are compiled to nothing, and torch compiles once more for the watch.

Note [Functions of torch's own]
The node of compiled code, and those that torch puts around a module for its backward hooks, are made by Functions in
Python, between the calls of torch functions that are seen. So it's noted when torch applies one. A user's
Function has the line of its ``forward``; here that would say nothing, so it's the line of the user's call.

Note [Calls that had begun]
What isn't noted isn't watched either, and so costs nothing. When noting begins in the middle of a module's forward,
as in one that takes its own training steps, the calls that are running are read from the frames. Such a call may end
without telling, so as long as one is on the stack, the frames are read again.
"""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch

from autograd_lab._torch import (
    applied as _applied,
    changes as _changes,
    engine as _engine,
    forward as _forward,
    module_hooks as _module_hooks,
    modules as _modules,
    tensors as _tensors,
    warned_at as _warned_at,
)
from autograd_lab.backward.modules import ModuleCall, RootModules
from autograd_lab.backward.stats import Measure, Meter, bring
from autograd_lab.backward.timeline import UNKNOWN, Called, State, Timeline
from autograd_lab.capture.models import Models
from autograd_lab.capture.places import call_of_compiled, place, source
from autograd_lab.errors import OptionError
from autograd_lab.hold import Hold
from autograd_lab.records import Call, Graph, Node, Source

ForwardLevel: TypeAlias = Literal["meta", "stats"] | None

KEPT = 256
"""Nodes made more than this many backwards ago, and freed by none, are forgotten."""


_METERED = 1024
"""So many calls share a meter."""


class Forward:
    """Watches the forward from ``enter`` to ``leave``.

    Args:
        roots: The models.
        level: What is kept of what a call made: ``"meta"``, ``"stats"`` or nothing.

    Raises:
        OptionError: ``level`` is none of these.
    """

    def __init__(self, roots: RootModules, level: ForwardLevel) -> None:
        if level not in (None, "meta", "stats"):
            raise OptionError(f"forward={level!r} can't be kept of a forward; use 'meta', 'stats' or None")
        self._roots = roots
        self._level: Literal["meta", "norm"] | None = "norm" if level == "stats" else level
        self._meter = self._new_meter()
        self._timelines: dict[int, Timeline] = {}
        self._stacks = threading.local()
        self._calls = 0
        self._ages: deque[dict[int, int]] = deque()
        self._mode = _forward.CallWatch(self._called)
        self._hooks = _module_hooks.AroundEveryModule(self._module_begins, self._module_ends)
        self._applied = _applied.Noticing(self._function_applied)
        self._after: list[_module_hooks.AfterOneModule] = []
        self._on = self._active = False
        self._thread = 0
        self._lock = threading.RLock()

    # --- on and off --------------------------------------------------------------------

    def enter(self, held: Hold) -> None:
        """Begins to watch calls in this thread, and modules in every thread.

        Args:
            held: Ends it. Nothing is left behind.
        """
        self._thread = threading.get_ident()
        held.add(self._leave)
        self._roots.hold()
        _forward.quiet(held)
        _warned_at.undisturbed(held)
        self._timeline()
        self._on = True

    @property
    def notes(self) -> bool:
        """Whether what is seen is noted."""
        return self._active

    def note(self, active: bool) -> None:
        """Switches the noting on or off. While it's off, nothing of this is left in the forward.

        Args:
            active: Whether it is. This thread's calls are noted at once, those of another one from the next backward
                or module call that this sees there.
        """
        with self._lock:
            active = active and self._on
            if active != self._active:
                (self._begin_to_note if active else self._note_no_more)()
            self._settle()

    def _begin_to_note(self) -> None:
        self._stacks = threading.local()  # calls may have begun and ended unseen
        self._active = self._mode.listens = True
        self._hooks.put_on()
        _changes.need(self, [self._applied])

    def _note_no_more(self) -> None:
        self._active = self._mode.listens = False
        self._hooks.take_off()
        _changes.let_go(self)
        for hook in tuple(self._after):
            hook.take_off()
        self._after = []
        own = threading.get_ident()
        for thread in tuple(self._timelines):
            if thread != own:  # its numbers go on unseen
                del self._timelines[thread]
        self._note(UNKNOWN)

    def _settle(self) -> None:
        """Puts the mode in or takes it out; only the mode's own thread can."""
        if threading.get_ident() != self._thread:
            return
        if not self._active:
            _forward.take_out(self._mode)
        elif not (
            _forward.is_in(self._mode)
            or any(entry.aside for entry in self._stack())
            or _forward.is_asked(self._mode)
        ):
            _forward.put_in(self._mode)

    def _leave(self) -> None:
        with self._lock:
            self._on = False
            self._note_no_more()
            self._settle()
        self._roots.let_go()
        self._timelines.clear()
        self._ages.clear()
        self._stacks = threading.local()

    # --- what is seen ------------------------------------------------------------------

    def _module_begins(self, module: torch.nn.Module, _args: Any) -> None:
        if torch.compiler.is_compiling() or not self._active:
            return
        if _modules.is_called_functionally() and not _engine.in_transform():
            self._roots.replaced(module)
        self._settle()
        inner = _forward.compiled_from(module)
        aside = (inner is not None or _forward.makes_no_graph(module)) and _forward.is_in(self._mode)
        self._stack().append(_Entry(inner or module, aside=aside))
        if aside:
            _forward.take_out(self._mode)
        self._note_around()
        if inner is not None:
            self._note(State(self._around(), place=place()))
            self._leave_alone(module)

    def _leave_alone(self, compiled: torch.nn.Module) -> None:
        """Takes the hooks away until a compiled module's call is over. See Note [Compiled modules]."""

        def over(module: torch.nn.Module, args: Any, output: Any) -> None:
            hook.take_off()
            self._after = [each for each in self._after if each is not hook]
            if self._active:
                self._hooks.put_on()
            self._module_ends(module, args, output)

        hook = _module_hooks.AfterOneModule(compiled, over)
        self._after.append(hook)
        hook.put_on()
        self._hooks.take_off()

    def _module_ends(self, _module: torch.nn.Module, _args: Any, _output: Any) -> None:
        if torch.compiler.is_compiling() or not self._active:
            return
        stack = self._stack()
        if len(stack) > 1:
            if stack.pop().aside:
                _forward.put_in(self._mode)
            self._note_around()

    def _function_applied(self, function: type) -> None:
        """Notes the line of the call for the one node. See Note [Functions of torch's own]."""
        if self._active and _applied.is_torchs_own(function) and not torch.compiler.is_compiling():
            around, number = self._around(), _forward.next_sequence_nr()
            line = call_of_compiled() if _applied.is_compiled(function) else place()
            self._timeline().note(number - 1, State(around, place=line))
            self._timeline().note(number, State(around))

    def _called(self, func: Any, begin: int, result: Any) -> None:
        timeline = self._timeline()
        if timeline.latest > begin:  # then what it called has been noted
            return
        self._calls += 1
        around = self._around()
        called = Called(func, self._calls, place(), self._measured(result))
        timeline.note(begin, State(around, called))
        timeline.note(_forward.next_sequence_nr(), State(around))

    def _new_meter(self) -> Meter | None:
        return None if self._level is None else Meter(self._level)

    def _measured(self, result: Any) -> tuple[Measure, ...]:
        if self._calls % _METERED == 0:
            self._meter = self._new_meter()  # a meter remembers what it has measured
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

    def backward(self, held: Hold, name: str) -> None:
        """A backward begins: it's in no module, counts the calls in it anew, and what it makes is its own.

        Args:
            held: The block that it runs in.
            name: What was called.
        """
        stack = self._stack()
        entry = _Entry(call=_outside())

        def over() -> None:
            stack[:] = [each for each in stack if each is not entry]
            self._note_around()

        held.add(over)
        stack.append(entry)
        self._calls += 1
        if self._active:
            self._note(State(called=Called(name, self._calls, place(), ())))
        # Called through the mode, ``Tensor.backward`` runs without it.
        again = self._active and threading.get_ident() == self._thread and not _forward.is_in(self._mode)
        if again:
            held.add(lambda: _forward.take_out(self._mode))
            _forward.put_in(self._mode)

    def naming(self) -> Models:
        """Returns what ``capture`` takes as ``model``, for the modules that were called."""
        return self._roots.naming()

    def know(self, model: torch.nn.Module) -> None:
        """Takes a model for the one whose forward this was: its modules are called by its names."""
        self._roots.know(model)

    # --- what is told ------------------------------------------------------------------

    def annotated(self, graph: Graph) -> Graph:
        """Returns the graph with where its nodes were made. See Note [One timeline a thread] in ``timeline.py``."""
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
                return node._replace(module=module, source=source(state.place) or node.source)
            call, line = written.get(called.number) or written.setdefault(called.number, _written(called))
            return node._replace(module=module, source=line or node.source, call=call)

        nodes = tuple(map(annotate, graph.nodes))
        modules = {node.module: None for node in nodes if node.module is not None}
        return dataclasses.replace(graph, nodes=nodes, classes=self._roots.classes(modules))

    def _states(self, graph: Graph) -> dict[int, State]:
        """Returns by id in which state this thread, or else another, made each node."""
        own = self._timeline()
        others = [timeline for timeline in tuple(self._timelines.values()) if timeline is not own]
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
        """Forgets the nodes of a graph that is gone."""
        numbers = frozenset(node.sequence_nr for node in freed.nodes)
        for timeline in tuple(self._timelines.values()):
            timeline.forget(numbers)

    def grow_older(self) -> None:
        """An outermost backward is over: calls are counted anew, and what is too old to be met again is struck out."""
        if not self._active:
            return
        for entry in self._stack():
            if entry.call is not None:
                entry.call.counts.clear()
        self._ages.append({thread: timeline.latest for thread, timeline in tuple(self._timelines.items())})
        if len(self._ages) > KEPT:
            for thread, latest in self._ages.popleft().items():
                if thread in self._timelines:
                    self._timelines[thread].forget(before=latest)

    def _note_around(self) -> None:
        """Notes that nodes are made in the running call from here on."""
        if self._active:
            self._note(State(self._around()))

    def _note(self, state: State) -> None:
        self._timeline().note(_forward.next_sequence_nr(), state)

    def _timeline(self) -> Timeline:
        thread = threading.get_ident()
        if thread not in self._timelines:
            self._timelines[thread] = Timeline(_forward.next_sequence_nr())
        return self._timelines[thread]

    def _stack(self) -> list[_Entry]:
        """Returns the calls that are running in this thread. See Note [Calls that had begun]."""
        stack: list[_Entry] | None = getattr(self._stacks, "stack", None)
        if stack is None:
            stack = [_Entry(call=_outside()), *(_Entry(module, had_begun=True) for module in _running())]
            self._stacks.stack = stack
        elif len(stack) > 1 and stack[1].had_begun:
            _drop_those_that_ended(stack)
        return stack

    def _around(self) -> ModuleCall:
        """Returns the running call, looked up when it's first asked for, since most are never noted."""
        outer: ModuleCall | None = None
        for entry in self._stack():
            if entry.call is None:
                assert entry.module is not None
                assert outer is not None
                entry.call = self._roots.call(entry.module, outer)
            outer = entry.call
        assert outer is not None
        return outer


def noting(held: Hold, model: torch.nn.Module | None = None) -> Forward:
    """Notes the forward until a block is over, for those who look at its graph before that.

    Args:
        held: The block.
        model: As for ``watch``.

    Returns:
        The ``Forward``, whose ``annotated`` tells what was noted.
    """
    forward = Forward(RootModules(model), "meta")
    forward.enter(held)
    forward.note(True)
    return forward


class _Entry:
    """A running call: of which module, whether it had begun unseen, and whether the mode stepped aside for it."""

    __slots__ = ("aside", "call", "had_begun", "module")

    def __init__(
        self,
        module: torch.nn.Module | None = None,
        *,
        call: ModuleCall | None = None,
        had_begun: bool = False,
        aside: bool = False,
    ) -> None:
        self.module = module
        self.call = call
        self.had_begun = had_begun
        self.aside = aside


def _running() -> list[torch.nn.Module]:
    return [_forward.compiled_from(module) or module for module in _module_hooks.running()]


def _drop_those_that_ended(stack: list[_Entry]) -> None:
    """See Note [Calls that had begun]."""
    had_begun = list(itertools.takewhile(lambda entry: entry.had_begun, stack[1:]))
    still = 0
    for entry, module in zip(had_begun, _running(), strict=False):
        if entry.module is not module:
            break
        still += 1
    del stack[1 + still : 1 + len(had_begun)]


def _outside() -> ModuleCall:
    return ModuleCall(None, "", "", {})


def _written(called: Called) -> tuple[Call, Source | None]:
    name = called.func if isinstance(called.func, str) else _forward.function_name(called.func)
    return Call(name, called.number, tuple(measure.finish() for measure in called.made)), source(called.place)
