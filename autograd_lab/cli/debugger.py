"""A terminal debugger for a backward: the commands, on top of the glass engine.

Relies on ``cmd`` of the standard library, which brings help, history and completion to a terminal and reads a pipe just
as well. What a command prints is made here; what it does is the engine's.

A stop is between two nodes: the *last* one has run, the *next* one is about to.
"""

from __future__ import annotations

import cmd
import difflib
import re
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import torch

from autograd_lab.backward import stops
from autograd_lab.backward.engine import Engine
from autograd_lab.draw import digits
from autograd_lab.errors import LabError, OptionError
from autograd_lab.records import Node, Step

Grads = tuple[torch.Tensor | None, ...]

PROMPT = "(backward) "
MOST = 12
"""Numbers of a tensor, or rows of a list, that are written out."""


class SteppedEngine(Engine):
    """An engine that remembers what its last node was given and what it returned."""

    came: Grads = ()
    went: Grads = ()

    def _ran(self, place: int, grad_outputs: Grads, grad_inputs: Grads) -> None:
        del place
        self.came, self.went = grad_outputs, grad_inputs


class Break(NamedTuple):
    """Where to stop.

    Attributes:
        text: As it was typed.
        before: The ids of the nodes before which to stop.
        after: Whether to stop after a step.
    """

    text: str
    before: frozenset[int]
    after: Callable[[Step], bool]


class Debugger(cmd.Cmd):
    """Steps through a backward.

    Args:
        engine: Before its first step, or anywhere.
        stdin: Where commands come from.
        stdout: Where answers go.
        interactive: Whether a person types them: a pipe's are written out, so that what was done can be read.
    """

    prompt = PROMPT
    doc_header = "Commands (help COMMAND says more; s, n, c, b, p, w, q will do):"
    ruler = ""

    def __init__(self, engine: SteppedEngine, *, stdin: IO[str], stdout: IO[str], interactive: bool) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.use_rawinput = interactive
        self._echo = not interactive
        self._engine = engine
        self._breaks: list[Break] = []
        self.intro = f"{len(engine.graph)} nodes; {self._where_it_stands()}. help lists the commands."

    # --- commands ----------------------------------------------------------------------

    def do_step(self, text: str) -> None:
        """step: run the next node."""
        del text
        self._take(1)

    def do_next(self, text: str) -> None:
        """Next [N]: run the next N nodes, one if N isn't given."""
        if text and not re.fullmatch(r"[1-9]\d*", text):
            raise OptionError(f"next {text}: give a whole number from 1, or nothing")
        self._take(int(text or 1))

    def do_continue(self, text: str) -> None:
        """continue: run until a breakpoint, or to the end."""
        del text
        first = True
        while not self._engine.done:
            met = None if first else self._met_before()
            if met is not None:
                self._say(f"stopped before {self._name(self._engine.ready[0])}: break {met.text}")
                return
            first = False
            step = self._engine.step()
            met = next((each for each in self._breaks if each.after(step)), None)
            if met is not None:
                self._say(self._line(step))
                self._say(f"stopped: break {met.text}")
                return
        self._say(self._where_it_stands())

    def do_break(self, text: str) -> None:
        """Break [NAME | #ID | leaf | nonfinite | norm>X]: stop there; alone, list the breakpoints.

        NAME is a node's, a leaf's or a named tensor's. Before a node, at any leaf, after NaN or inf, after a gradient
        whose norm is larger than X.
        """
        if not text:
            self._say("\n".join(f"break {each.text}" for each in self._breaks) or "no breakpoints")
            return
        self._breaks.append(self._read_break(text))
        count = len(self._breaks[-1].before)
        where = (
            f" ({count} nodes)"
            if count > 1
            else f" ({self._name(min(self._breaks[-1].before))})"
            if count
            else ""
        )
        self._say(f"break {text}{where}")

    def do_print(self, text: str) -> None:
        """Print [in | out | saved [NAME] | LEAF.grad]: gradients of the last node, or what the next one has saved."""
        if not text:
            self._print_gradients("in", self._engine.came)
            self._print_gradients("out", self._engine.went)
        elif text in ("in", "out"):
            self._print_gradients(text, self._engine.came if text == "in" else self._engine.went)
        elif text.split(maxsplit=1)[0] == "saved":
            self._print_saved(text.split()[1:])
        elif text.endswith(".grad"):
            name = text.removesuffix(".grad")
            if name not in {node.variable for node in self._engine.graph.leaves}:
                raise OptionError(f"print {text}: there is no leaf {name!r}; break leaf stops at each")
            grad = self._engine.grads.get(name)
            self._say(f"{text} = {'not there yet' if grad is None else value(grad)}")
        else:
            raise OptionError(f"print {text}: print in, out, saved, saved NAME or LEAF.grad")

    def do_where(self, text: str) -> None:
        """where: which line of the forward made the last node and the next one, in which module, by which call."""
        del text
        for what, place in (("last", self._engine.current), ("next", self._next())):
            if place is not None:
                self._say(f"{what}: {self._name(place)}  {made_at(self._engine.graph.node(place))}")

    def do_queue(self, text: str) -> None:
        """queue: the nodes that are ready, the next one first."""
        del text
        ready = self._engine.ready
        shown = ", ".join(self._name(place) for place in ready[:MOST]) or "empty"
        self._say(shown + (f" … and {len(ready) - MOST} more" if len(ready) > MOST else ""))

    def do_buffers(self, text: str) -> None:
        """buffers: the nodes at which gradients have arrived: their sums so far, and how many are awaited."""
        del text
        buffers = list(self._engine.buffers.items())
        for place, buffer in buffers[:MOST]:
            sums = ", ".join(value(grad) for grad in buffer.grads)
            senders = ", ".join(
                "the start" if each.source is None else f"#{each.source}" for each in buffer.arrived
            )
            awaited = f", {buffer.awaited} awaited" if buffer.awaited else ""
            self._say(f"{self._name(place)}: {sums}  from {senders}{awaited}")
        if len(buffers) > MOST:
            self._say(f"… and {len(buffers) - MOST} more")
        if not buffers:
            self._say("empty")

    def do_graph(self, text: str) -> None:
        """graph: every node in the order in which they run, and how far it is."""
        del text
        ran = {step.node for step in self._engine.steps}
        ready = set(self._engine.ready)
        for node in self._engine.graph.nodes:
            state = "ran" if node.id in ran else "ready" if node.id in ready else ""
            targets = ", ".join("–" if edge is None else f"#{edge.node}" for edge in node.next)
            arrow = "→" if node.id == self._next() else " "
            self._say(f"{arrow} {state:5} {self._name(node.id)}{f' → {targets}' if targets else ''}")

    def do_quit(self, text: str) -> bool:
        """quit: leave. Nothing was written to any .grad."""
        del text
        return True

    do_EOF = do_quit  # noqa: N815 - the name that ``cmd`` looks for
    do_s, do_n, do_c, do_b, do_p, do_w, do_q = (
        do_step,
        do_next,
        do_continue,
        do_break,
        do_print,
        do_where,
        do_quit,
    )

    # --- what cmd asks -----------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Runs one command. What is wrong with it is one line, and the session goes on."""
        try:
            return bool(super().onecmd(line))
        except LabError as error:
            self._say(f"error: {error}")
        return False

    def precmd(self, line: str) -> str:
        """Writes a pipe's command out behind the prompt."""
        if self._echo:
            self._say("" if line == "EOF" else line)
        return line

    def default(self, line: str) -> None:
        """An unknown command: which one was perhaps meant."""
        names = [name.removeprefix("do_") for name in self.get_names() if name.startswith("do_")]
        near = difflib.get_close_matches(line.split(maxsplit=1)[0], names, n=1)
        raise OptionError(
            f"no command {line.split(maxsplit=1)[0]!r}{f'; did you mean {near[0]}?' if near else ''}; see help"
        )

    def get_names(self) -> list[str]:
        """The commands by their full names; what help lists."""
        short = {f"do_{letter}" for letter in "sncbpwq"} | {"do_EOF"}
        return [name for name in super().get_names() if name not in short]

    def complete_break(self, text: str, *_: Any) -> list[str]:
        """Names of nodes and leaves."""
        return sorted(
            name for name in {"leaf", "nonfinite", "norm>", *self._names()} if name.startswith(text)
        )

    def complete_print(self, text: str, *_: Any) -> list[str]:
        """What can be printed."""
        leaves = {f"{node.variable}.grad" for node in self._engine.graph.leaves}
        return sorted(name for name in {"in", "out", "saved", *leaves} if name.startswith(text))

    # --- the engine's state in words ------------------------------------------------------

    def _take(self, count: int) -> None:
        if self._engine.done:
            self._say(self._where_it_stands())
        for _ in range(count):
            if self._engine.done:
                return
            self._say(self._line(self._engine.step()))

    def _line(self, step: Step) -> str:
        """Node, what came in, what goes out, to whom."""
        node = self._engine.graph.node(step.node)
        came = ", ".join(map(value, self._engine.came))
        if node.kind == "accumulate":
            return f"{self._name(node.id)}  in {came}  → its gradient"
        parts = [
            f"{value(grad)} → {self._name(edge.node)}"
            for grad, edge in zip(self._engine.went, node.next, strict=False)
            if edge is not None
        ]
        return f"{self._name(node.id)}  in {came}  out {', '.join(parts) or 'nothing'}"

    def _where_it_stands(self) -> str:
        place = self._next()
        if place is None:
            return f"done: all {len(self._engine.steps)} nodes have run"
        return f"next is {self._name(place)}"

    def _next(self) -> int | None:
        ready = self._engine.ready
        return ready[0] if ready else None

    def _name(self, place: int) -> str:
        node = self._engine.graph.node(place)
        return f"#{place} {node.variable or node.name}"

    def _names(self) -> Iterator[str]:
        for node in self._engine.graph.nodes:
            yield node.variable or node.name

    def _met_before(self) -> Break | None:
        upcoming = self._next()
        return next((each for each in self._breaks if upcoming in each.before), None)

    def _read_break(self, text: str) -> Break:
        graph = self._engine.graph
        larger = re.fullmatch(r"norm\s*>\s*([-+.\deE]+)", text)
        if larger is not None:
            return Break(text, frozenset(), _norm_over(_number(larger[1])))
        if text == "leaf":
            return Break(text, frozenset(node.id for node in graph.leaves), _never)
        if text not in (stops.NONFINITE, *self._names()) and not re.fullmatch(r"#?\d+", text):
            near = difflib.get_close_matches(text, {"leaf", stops.NONFINITE, *self._names()}, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else "; graph lists the nodes"
            raise OptionError(f"break {text}: there is no node or leaf of that name{hint}")
        number = re.fullmatch(r"#?(\d+)", text)
        until: Any = int(number[1]) if number is not None else text
        return Break(text, frozenset(stops.before(until, graph)), stops.after(until))

    def _print_gradients(self, what: str, grads: Grads) -> None:
        if self._engine.current is None:
            raise OptionError("nothing has run yet; step runs the next node")
        for slot, grad in enumerate(grads):
            self._say(f"{what}[{slot}] = {value(grad)}")
        if not grads:
            self._say(f"{what}: nothing")

    def _print_saved(self, names: list[str]) -> None:
        place = self._next()
        if place is None:
            raise OptionError("no node is left to run, so none has anything saved that is still needed")
        saved = self._engine.graph.node(place).saved
        wanted = [each for each in saved if not names or each.name in names]
        if not wanted:
            known = ", ".join(each.name for each in saved)
            raise OptionError(f"{self._name(place)} saved {known or 'nothing'}")
        live = self._engine.saved(place)
        for each in wanted:
            found = live.get(each.name)
            tensor = found if isinstance(found, torch.Tensor) else None
            held = value(tensor) if tensor is not None else "released" if each.released else repr(each.value)
            self._say(f"{each.name} = {held}{f'  ({each.variable})' if each.variable else ''}")

    def _say(self, text: str) -> None:
        print(text, file=self.stdout)


def value(tensor: torch.Tensor | None) -> str:
    """Writes a tensor in a line: the number if it's one, all numbers if they're few, else shape and norm.

    Example:
        >>> value(torch.tensor(-8.0)), value(torch.ones(2)), value(None)
        ('−8', 'f32[2] [1, 1]', 'none')
    """
    if tensor is None:
        return "none"
    if tensor.numel() == 1 and tensor.layout is torch.strided and not tensor.is_meta:
        return digits.number(tensor.detach().reshape(()).item())
    size = ",".join(map(str, tensor.shape))
    dtype = str(tensor.dtype).removeprefix("torch.").replace("float", "f").replace("int", "i")
    if tensor.is_meta or tensor.layout is not torch.strided or tensor.dtype is torch.bool:
        return f"{dtype}[{size}]"
    if tensor.numel() <= MOST:
        numbers = ", ".join(digits.number(number) for number in tensor.detach().reshape(-1).tolist())
        return f"{dtype}[{size}] [{numbers}]"
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return f"{dtype}[{size}]"
    return f"{dtype}[{size}] of norm {digits.number(torch.linalg.vector_norm(tensor.detach()).item())}"


def made_at(node: Node) -> str:
    """Writes where in the forward a node was made."""
    if node.kind == "accumulate":
        return "a leaf"
    parts = [
        "" if node.source is None else str(node.source),
        f"in module {node.module}" if node.module else "",
        f"by {node.call.name}" if node.call is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "unknown: the forward wasn't watched"


def _norm_over(limit: float) -> Callable[[Step], bool]:
    def is_over(step: Step) -> bool:
        return any(
            stats is not None and stats.norm is not None and stats.norm > limit
            for stats in (*step.grad_outputs, *step.grad_inputs)
        )

    return is_over


def _never(step: Step) -> bool:
    del step
    return False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise OptionError(f"break norm>{text}: {text!r} is no number") from error
