"""``watch``: unmodified code, every backward traced, every node with its place in the forward.

Relies on the engine's front door (``_torch/engine.py``) to see every backward start, on ``Forward`` for what the
forward did, and on ``Recorder`` for what each node did. Promises that nothing of it is left when the block is over,
and that code inside can't tell that it was watched.

Note [A backward of a transform]
``torch.func`` transforms start the engine too, on wrappers that have no numbers of their own. Those backwards are no
calls of the user's; they run unwatched. So do those of ``torch.autograd.grad(…, is_grads_batched=True)``, whose
gradients are such wrappers, and those that a user starts inside ``torch.func.vmap``. They are counted, and a watcher's
text and the command line say how many there were.

Note [Backwards deep inside one another]
A Function's ``backward`` may start a backward, whose Function starts another, hundreds deep. Torch's engine takes a new
thread, with a stack of its own, at every sixtieth, and counts on sixty of them to fit below Python's limit on
recursion. What is on the stack to trace each of them would use that up, and the user's program would end with a
``RecursionError``. So only the outermost few are traced; further in, the lab adds two frames to each.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import engine as _engine, tensors as _tensors
from autograd_lab._torch.grounds import need
from autograd_lab.backward.forward import Forward, ForwardLevel
from autograd_lab.backward.modules import RootModules
from autograd_lab.backward.recorder import Keep, Keeps, Recorder, chooser
from autograd_lab.backward.stats import Meter, StatsLevel, checked
from autograd_lab.capture import places
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import NameBook, Names
from autograd_lab.capture.outputs import Outputs
from autograd_lab.chosen import Chosen
from autograd_lab.errors import GraphError, LabError, OptionError
from autograd_lab.exceptions import attach
from autograd_lab.hold import Hold
from autograd_lab.records import Graph, Source, Trace, Traces
from autograd_lab.records.display import as_mimebundle


def watch(
    model: torch.nn.Module | None = None,
    *,
    names: Names | None = None,
    forward: ForwardLevel = "meta",
    skip: int = 0,
    limit: int | None = None,
    every: int = 1,
    stats: StatsLevel = "norm",
    keep: Keep = None,
    kernels: bool = False,
    live: bool = False,
) -> Watcher:
    """Watches unmodified code: every backward that starts inside the ``with`` block is traced.

    That is ``loss.backward()``, ``torch.autograd.backward`` and ``torch.autograd.grad``, whoever calls them and in
    whichever thread. Because the forward was seen too, each node knows the module in which it was made, the line of
    the user's code and the call (``Node.module``, ``.source``, ``.call``). Calls are seen in the thread that enters the
    block, modules in all threads. A module that is called again shows as ``"cell#2"``. Backwards of ``torch.func``
    transforms, those with ``is_grads_batched=True``, and those inside eight others run unwatched. An exception goes
    its way, and the trace has what ran until then; a warning names the line that it names without the block.

    Args:
        model: Its parameters and modules are called by their dotted names. Without it, the models are found as they
            are called; if there are several, what stands before the names is the main program's variable for each,
            or else its class.
        names: As for ``capture``.
        forward: What is kept of what each call of the forward made: ``"meta"`` (shape, dtype and device), ``"stats"``
            (their norms too) or ``None``.
        skip: How many backwards aren't traced at first. Those inside another one don't count, here and for ``limit``.
        limit: How many are traced after that; ``None`` for all.
        every: Of so many one is traced: 100 traces the first after those skipped, then each hundredth.
        stats: As for ``trace``.
        keep: As for ``trace``.
        kernels: As for ``trace``.
        live: Whether a page on this machine shows the traces while the block runs: a line on standard error says where.
            The page says when the block is over. ``every`` keeps down what it costs.

    Returns:
        A context manager that gives a ``Watcher``.

    Raises:
        OptionError: An option has a value that isn't one.
        GraphError: ``model`` is no module, or ``names`` no mapping of texts to tensors.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())
        >>> with watch(model) as watcher:
        ...     for _ in range(2):
        ...         model(torch.ones(1, 2)).sum().backward()
        >>> [len(trace.steps) for trace in watcher.traces]
        [6, 6]
        >>> tanh = watcher.traces[0].graph.find("tanh")[0]
        >>> tanh.module, tanh.call.name, str(tanh.call.made[0].meta)
        ('1', 'torch.tanh', 'f32[1,3]')
    """
    need("watch")
    if kernels:
        need("kernels")
    if not isinstance(live, bool):
        raise OptionError(f"live is True or False, not {live!r}")
    NameBook(model, names)  # what's wrong with them is better said now than in the middle of a training
    _Counts(skip, limit, every).check()
    roots = RootModules(model)
    options = _Options(names or {}, checked(stats), chooser(keep), kernels)
    return Watcher(roots, Forward(roots, forward), options, skip=skip, limit=limit, every=every, live=live)


_DEEPEST = 8
"""How many backwards inside one another are traced."""


class _Options(NamedTuple):
    """How each backward is traced."""

    names: Names
    stats: StatsLevel
    keeps: Keeps | None
    kernels: bool


class _Backward(NamedTuple):
    """A backward that is being traced.

    Attributes:
        recorder: Records it.
        order: How many traced ones began before it.
        depth: How many traced ones it's inside of.
        number: See ``Trace``.
        within: See ``Trace``.
        started: See ``Trace``.
        unread: See ``Trace``.
    """

    recorder: Recorder
    order: int
    depth: int
    number: int
    within: int | None
    started: Source | None
    unread: str | None

    def trace(self, raised: BaseException | None) -> Trace:
        """Returns its record."""
        done = self.recorder.trace(raised)
        return dataclasses.replace(
            done, number=self.number, within=self.within, started=self.started, unread=self.unread
        )


class _Counts(NamedTuple):
    """How many backwards are passed over, how many are traced then, and of how many one is."""

    skip: int
    limit: int | None
    every: int

    def check(self) -> None:
        """Raises an ``OptionError`` for what is no number of backwards; a limit may be ``None``."""
        for option, value in self._asdict().items():
            least = 1 if option == "every" else 0
            if value is None and option == "limit":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise OptionError(
                    f"{option}={value!r} isn't a number of backwards; use a whole number from {least}"
                )


class Watcher(Hold):
    """What ``watch`` returns.

    Attributes:
        traces: A trace for each backward that was chosen, in the order in which they began.
        count: How many backwards began in the block, traced or not; those inside another one don't count.
        on_backward: If it's a function, it's called between backwards, traced or not, that aren't inside another one.
        most: How many traces are kept: where there are more, each second one is let go of, the last stays. ``None`` for
            all.
        address: Where the traces can be followed in a browser; ``None`` where they can't.
    """

    def __init__(
        self,
        roots: RootModules,
        forward: Forward,
        options: _Options,
        *,
        skip: int,
        limit: int | None,
        every: int,
        live: bool = False,
    ) -> None:
        super().__init__()
        self.traces = Traces()
        self.count = 0
        self.on_backward: Callable[[], None] | None = None
        self.most: int | None = None
        self.address: str | None = None
        self._is_live = live
        self._counts = _Counts(skip, limit, every)
        self._which = Chosen.of(*self._counts)
        self._roots = roots
        self._forward = forward
        self._options = options
        self._lock = threading.RLock()
        self._orders: list[int] = []
        self._begun = 0
        self._running: list[_Backward] = []
        self._place: _engine.Visit | None = None

    @property
    def transformed(self) -> int:
        """How many backwards ran unwatched, since they belong to ``torch.func`` transforms or batches of gradients."""
        return 0 if self._place is None else self._place.transformed

    @property
    def remark(self) -> str:
        """What is to be said of backwards that can't be traced; nothing where there were none."""
        if not self.transformed:
            return ""
        backwards = "backward" if self.transformed == 1 else "backwards"
        return (
            f"{self.transformed} {backwards} inside torch.func or with is_grads_batched=True can't be traced"
        )

    @property
    def skip(self) -> int:
        """How many backwards aren't traced at first. May be changed at any time, as ``limit`` and ``every`` may."""
        return self._counts.skip

    @skip.setter
    def skip(self, skip: int) -> None:
        self._count_by(self._counts._replace(skip=skip))

    @property
    def limit(self) -> int | None:
        """How many are traced after that; ``None`` for all."""
        return self._counts.limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        self._count_by(self._counts._replace(limit=limit))

    @property
    def every(self) -> int:
        """Of how many backwards one is traced."""
        return self._counts.every

    @every.setter
    def every(self, every: int) -> None:
        self._count_by(self._counts._replace(every=every))

    def _count_by(self, counts: _Counts) -> None:
        counts.check()
        self._counts = counts
        self.which = Chosen.of(*counts)

    @property
    def which(self) -> Chosen:
        """Which backwards are traced; what is counted from the end is among ``traces`` while it may be one of them."""
        return self._which

    @which.setter
    def which(self, which: Chosen) -> None:
        self._which = which
        self._choose()

    def __repr__(self) -> str:
        state = "on" if self._entered else "off"
        remark = f"; {self.remark}" if self.remark else ""
        return f"<Watcher: {state}, {len(self.traces)} of {self.count} backwards traced{remark}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: a row for each backward that was traced."""
        del include, exclude
        return as_mimebundle(self.traces) if self.traces else {"text/plain": repr(self)}

    def __enter__(self) -> Self:
        if self._entered:
            raise LabError("this watch is on already; call lab.watch() for another one")
        super().__enter__()
        if self._is_live:
            from autograd_lab.live import follow  # a web server: only for whoever asks for it

            self.address = follow(self, lambda: tuple(self.traces))
        self._forward.enter(self)
        self._place = _engine.visit(self, self._visit)
        self._choose()
        return self

    def capture(self, outputs: Outputs, *, names: Names | None = None) -> Graph:
        """Returns the graph of outputs made in the block, before any backward, each node with its place in the forward.

        Args:
            outputs: As for ``lab.capture``.
            names: As for ``lab.capture``, besides those that ``watch`` was given.

        Returns:
            The graph. After the block nothing is known of the forward any more.

        Raises:
            GraphError: As for ``lab.capture``.

        Example:
            >>> with watch() as watcher:
            ...     graph = watcher.capture(torch.nn.Linear(2, 3)(torch.ones(1, 2)).sum())
            >>> [node.call.name for node in graph.nodes if node.call]
            ['torch.Tensor.sum', 'torch.nn.functional.linear', 'torch.nn.functional.linear']
        """
        return self._live(outputs, names or {}, places.called())[0]

    # --- which -------------------------------------------------------------------------

    def _is_chosen(self, number: int) -> bool:
        return self._which.may_hold(number, number + 1)

    def _choose(self) -> None:
        """Has the forward noted from one backward early: what is traced next may have been made by then."""
        self._forward.note(self._is_chosen(self.count) or self._is_chosen(self.count + 1))
        with self._lock:
            over = self._which.is_over(self.count) and not self._running
            if self._place is not None:
                self._place.passed = self._passed if over else None

    def _passed(self) -> None:
        """A backward starts after the last one that is traced."""
        with self._lock:
            self.count += 1
        if self.on_backward is not None:
            self.on_backward()

    # --- what happens ------------------------------------------------------------------

    def _visit(self, start: _engine.Start, run: _engine.RunEngine) -> Any:
        """A backward starts.

        See Note [Backwards deep inside one another].
        """
        __tracebackhide__ = True
        current = _engine.current_backward()
        if current == _engine.NONE:
            return self._outermost(start, run)
        outer = next((each for each in self._running if each.recorder.is_for(current)), None)
        if outer is None or outer.depth + 1 == _DEEPEST:
            return run()
        return self._traced(start, run, outer.number, outer)

    def _outermost(self, start: _engine.Start, run: _engine.RunEngine) -> Any:
        __tracebackhide__ = True
        with self._lock:
            number = self.count
            self.count += 1
        try:
            result = self._traced(start, run, number) if self._is_chosen(number) else run()
        finally:
            self._forward.grow_older()
            self._choose()
        if self.on_backward is not None:
            self.on_backward()
        return result

    def _traced(
        self, start: _engine.Start, run: _engine.RunEngine, number: int, outer: _Backward | None = None
    ) -> Any:
        __tracebackhide__ = True
        with Hold() as held:
            backward = self._begin(held, start, number, outer)
            try:
                result = self._recorded(backward.recorder, start, run)
            except BaseException as error:  # kept in no variable: that would be a circle through this frame
                attach(error, self._end(backward, start, error))
                raise
            self._end(backward, start, None)
        return result

    def _recorded(self, recorder: Recorder, start: _engine.Start, run: _engine.RunEngine) -> Any:
        __tracebackhide__ = True
        with Hold() as held:
            self._forward.backward(held, start.name)
            return recorder.run(run, start.grad_tensors)

    def _begin(self, held: Hold, start: _engine.Start, number: int, outer: _Backward | None) -> _Backward:
        began, called = places.start()
        with self._lock:
            order = self._begun
            self._begun += 1
        recorder, unread = self._recorder(start.outputs, called)
        depth, within = (0, None) if outer is None else (outer.depth + 1, outer.recorder.turn())
        backward = _Backward(recorder, order, depth, number, within, began, unread)

        def over() -> None:
            self._running = [each for each in self._running if each is not backward]

        held.add(over)
        with self._lock:
            self._running = [*self._running, backward]
            if self._place is not None:
                self._place.passed = None  # what is inside this one is traced too
        return backward

    def _recorder(self, outputs: Sequence[Any], called: places.OutputNames) -> tuple[Recorder, str | None]:
        """Returns what records a backward of what is called so, and why their graph can't be read, if it can't."""
        unread = None
        try:
            graph, nodes = self._live(outputs, {}, called)
        except GraphError as error:  # what torch makes of these outputs is torch's to say
            graph, nodes, unread = Graph((), ()), [], str(error)
        options = self._options
        return Recorder(graph, nodes, Meter(options.stats), options.keeps, kernels=options.kernels), unread

    def _live(
        self, outputs: Outputs, given: Names, called: places.OutputNames
    ) -> tuple[Graph, list[TorchNode]]:
        with _tensors.no_torch_function():
            models = self._roots.naming()
            graph, nodes = live(outputs, model=models, names={**self._options.names, **given}, called=called)
        return self._forward.annotated(graph), nodes

    def _end(self, backward: _Backward, start: _engine.Start, raised: BaseException | None) -> Trace:
        trace = backward.trace(raised)
        with self._lock:
            place_of_it = bisect.bisect(self._orders, backward.order)
            self.traces.insert(place_of_it, trace)
            self._orders.insert(place_of_it, backward.order)
            if self._which.counts_from_the_end:
                self._drop_early()
            if self.most is not None and len(self.traces) > self.most:
                self._keep([index % 2 == 0 for index in range(len(self.traces))][::-1])
        if not start.keeps_graph:
            self._forward.forget(trace.graph)
        return trace

    def _drop_early(self) -> None:
        """Lets go of the traces that are too far from the end by now."""
        self._keep([self._which.may_hold(trace.number, self.count) for trace in self.traces])

    def _keep(self, wanted: Sequence[bool]) -> None:
        """Lets go of the traces that aren't wanted. ``traces`` is the user's to clear: there may be fewer of them."""
        self._orders[:] = itertools.compress(self._orders, wanted)
        self.traces[:] = itertools.compress(self.traces, wanted)
