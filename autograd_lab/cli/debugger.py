"""A terminal debugger for a backward: the commands, on top of the glass engine.

Relies on ``shell.py`` for help, short forms and writing. What a command does is the engine's, how it's written is in
``words.py``, where it stops in ``breakpoints.py``.

A stop is between two nodes: the *last* one has run, the *next* one is about to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar

import torch

from autograd_lab._torch.run_node import Grads
from autograd_lab.backward import stops
from autograd_lab.backward.engine import Engine
from autograd_lab.cli import breakpoints, words
from autograd_lab.cli.raised import at
from autograd_lab.cli.shell import Shell
from autograd_lab.draw.words import called
from autograd_lab.errors import LabError, OptionError, ReleasedError, escaped, nearest, one_line
from autograd_lab.records import Node

PROMPT = "(backward) "
ROWS = 12
"""Rows of a list that are written out."""


class SteppedEngine(Engine):
    """An engine that remembers what its last node was given and what it returned."""

    came: Grads = ()
    went: Grads = ()

    def _ran(self, node_id: int, grad_outputs: Grads, grad_inputs: Grads) -> None:
        del node_id
        self.came, self.went = grad_outputs, grad_inputs


class Debugger(Shell):
    """Steps through a backward.

    Attributes:
        mistakes: How many commands couldn't be carried out.

    Args:
        engine: Before its first step, or anywhere.
        stdin: Where commands come from.
        stdout: Where answers go.
        interactive: Whether a person types them: a pipe's are written out, so that what was done can be read.
    """

    prompt = PROMPT
    short: ClassVar[Mapping[str, str]] = {
        "s": "step",
        "n": "next",
        "c": "continue",
        "b": "break",
        "p": "print",
        "w": "where",
        "q": "quit",
    }

    def __init__(self, engine: SteppedEngine, *, stdin: IO[str], stdout: IO[str], interactive: bool) -> None:
        super().__init__(stdin=stdin, stdout=stdout, interactive=interactive)
        self.mistakes = 0
        self._engine = engine
        self._breaks: list[breakpoints.Break] = []
        nodes = len(engine.graph)
        self.intro = (
            f"The backward has {nodes} node{_s(nodes)}; {self._where_it_stands()}.\n"
            "A node belongs to an operation of the forward: in comes the gradient of what\n"
            "that made, out go those of its operands, each → to the node that gets it. Your\n"
            ".grad stays as it is; print LEAF.grad says what it would be from this backward.\n"
            "help lists the commands."
        )

    # --- commands ----------------------------------------------------------------------

    def do_step(self, text: str) -> None:
        """step: run the next node."""
        del text
        self._take(1)

    def do_next(self, text: str) -> None:
        """next [N]: run the next N nodes; one, if N isn't given."""  # noqa: D403 - so typed
        if text and not re.fullmatch(r"[1-9]\d*", text):
            raise OptionError(f"next {text}: give a whole number from 1, or nothing")
        self._take(int(text or 1))

    def do_continue(self, text: str) -> None:
        """continue: run until a breakpoint, or to the end."""
        del text
        why = ""
        before = len(self._engine.steps)
        while not self._ended() and not why:
            step = self._engine.step()
            met = next((each for each in self._breaks if each.after(step)), None)
            ahead = next((each for each in self._breaks if self._engine.next in each.before), None)
            if met is not None:
                why = f"stopped: break {met.text}"
            elif ahead is not None:
                why = f"stopped before {self._name(self._engine.next)}: break {ahead.text}"
        if len(self._engine.steps) > before:
            self.tell(self._last_step())
        self.say(why or self._where_it_stands())

    def do_break(self, text: str) -> None:
        """break [NAME | #ID | leaf | nonfinite | norm>X]: stop at nodes, or at gradients gone wrong; alone, list them.

        NAME is a node's, a leaf's, a named tensor's or a module's: it stops before such a node. leaf stops before each
        leaf. nonfinite (NaN or inf) and norm>X stop after a node that took in or gave out such a gradient.
        """  # noqa: D403 - so typed
        if not text:
            self.say("\n".join(f"break {each.text}" for each in self._breaks) or "no breakpoints")
            return
        found = breakpoints.read(text, self._engine.graph)
        self._breaks.append(found)
        nodes = len(found.before)
        where = f" ({self._name(min(found.before))})" if nodes == 1 else f" ({nodes} nodes)" if nodes else ""
        self.say(escaped(f"break {text}{where}"))

    def do_clear(self, text: str) -> None:
        """clear [BREAK]: take away a breakpoint, named as break lists it; alone, all of them."""  # noqa: D403 - so typed
        if text and text not in {each.text for each in self._breaks}:
            raise OptionError(f"clear {text}: there is no such breakpoint; break lists them")
        self._breaks = [each for each in self._breaks if text and each.text != text]
        self.say("\n".join(f"break {each.text}" for each in self._breaks) or "no breakpoints")

    def do_print(self, text: str) -> None:
        """print [in | out | saved [NAME | #ID] | LEAF | LEAF.grad]: a gradient, or what was saved.

        in and out: what came into the last node and what went out; both, if nothing is said. saved: what the last
        node and the next one keep from the forward; None is what they can do without. LEAF: a leaf's value; LEAF.grad:
        its gradient from this backward.
        """  # noqa: D403 - so typed
        what, _, rest = text.partition(" ")
        if what in ("", "in", "out"):
            for each in ("in", "out") if not what else (what,):
                self._print_gradients(each)
        elif what == "saved":
            self._print_saved(rest.strip())
        else:
            self._print_leaf(text)

    def do_where(self, text: str) -> None:
        """where: which line of the forward made the last node and the next one, in which module, by which call."""
        del text
        for what, node in self._last_and_next():
            where, *code = words.made_at(node)
            self.tell("\n".join([f"{what}: {words.name(node)}  {where}", *code]))

    def do_queue(self, text: str) -> None:
        """queue: the nodes that could run now, since all that they wait for has arrived: the next one first."""
        del text
        ready = self._engine.ready
        shown = ", ".join(map(self._name, ready[:ROWS])) or "empty"
        self.tell(shown + (f" … and {len(ready) - ROWS} more" if len(ready) > ROWS else ""))

    def do_buffers(self, text: str) -> None:
        """buffers: the nodes at which gradients have arrived: their sums so far, from whom, how many are awaited."""
        del text
        buffers = list(self._engine.buffers.items())
        for node_id, buffer in buffers[:ROWS]:
            sums = ", ".join(map(words.value, buffer.grads))
            senders = ", ".join(
                "the start" if each.source is None else f"#{each.source}" for each in buffer.arrived
            )
            awaited = f", {buffer.awaited} awaited" if buffer.awaited else ""
            self.tell(f"{self._name(node_id)}: {sums}  from {senders}{awaited}")
        if len(buffers) > ROWS:
            self.say(f"… and {len(buffers) - ROWS} more")
        if not buffers:
            self.say("empty")

    def do_graph(self, text: str) -> None:
        """graph [all]: the nodes around the next one, in the order in which they run: which have run, which are ready.

        After → are the nodes that get its gradients, – for an operand that needs none. all: every node there is.
        """  # noqa: D403 - so typed
        if text not in ("", "all"):
            raise OptionError(f"graph {text}: say graph, or graph all")
        nodes, upcoming = self._engine.graph.nodes, self._engine.next
        middle = upcoming if upcoming is not None else len(nodes)
        first, last = (0, len(nodes)) if text else (max(0, middle - ROWS), min(len(nodes), middle + ROWS))
        ran, ready = {step.node for step in self._engine.steps}, set(self._engine.ready)
        if first:
            self.say(f"  … {first} before")
        for node in nodes[first:last]:
            state = "ran" if node.id in ran else "ready" if node.id in ready else ""
            targets = ", ".join("–" if edge is None else f"#{edge.node}" for edge in node.next)
            arrow = "→" if node.id == upcoming else " "
            self.say(f"{arrow} {state:5} {words.name(node)}{f' → {targets}' if targets else ''}")
        if last < len(nodes):
            self.say(f"  … {len(nodes) - last} after")

    # --- what cmd asks -----------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Runs one command. What is wrong with it is one line, and the session goes on."""
        try:
            return super().onecmd(line)
        except ReleasedError as error:
            self.say(f"error: {_message(error)}{self._made_at(self._engine.failed or self._engine.next)}")
        except LabError as error:
            self.say(f"error: {_message(error)}")
        except Exception as error:
            if self._engine.failed is None:
                raise
            where = at(error) or self._made_at(self._engine.failed)
            self.say(f"error: {self._name(self._engine.failed)} raised {one_line(error)}{where}")
        self.mistakes += 1
        return False

    def _made_at(self, node_id: int | None) -> str:
        """Returns the line of the forward that made a node, in brackets; empty where it isn't known."""
        source = None if node_id is None else self._engine.graph.node(node_id).source
        return "" if source is None else escaped(f" (made at {source})")

    def complete_break(self, text: str, *_: Any) -> list[str]:
        """What break knows."""
        return [name for name in stops.known(self._engine.graph) if name.startswith(text)]

    def complete_clear(self, text: str, *_: Any) -> list[str]:
        """The breakpoints."""
        return [each.text for each in self._breaks if each.text.startswith(text)]

    def complete_print(self, text: str, *_: Any) -> list[str]:
        """What can be printed."""
        leaves = [name for node in self._engine.graph.leaves for name in _leaf_names(node)]
        found = {"in", "out", "saved", *leaves, *(f"{name}.grad" for name in leaves)}
        return sorted(name for name in found if name.startswith(text))

    # --- the engine's state in words ------------------------------------------------------

    def _take(self, count: int) -> None:
        if self._ended():
            self.say(self._where_it_stands())
        for _ in range(count):
            if self._ended():
                return
            self._engine.step()
            self.tell(self._last_step())
            if self._engine.done:
                self.say(self._where_it_stands())

    def _last_step(self) -> str:
        node_id = self._engine.steps[-1].node
        return words.line(self._engine.graph, node_id, self._engine.came, self._engine.went)

    def _ended(self) -> bool:
        return self._engine.done or self._engine.failed is not None

    def _where_it_stands(self) -> str:
        ran = len(self._engine.steps)
        if self._engine.failed is not None:
            return f"over: {self._name(self._engine.failed)} raised after {ran} node{_s(ran)}"
        if self._engine.done:
            return f"done: all {ran} nodes have run" if ran > 1 else "done: the only node has run"
        return f"the next is {self._name(self._engine.next)}"

    def _name(self, node_id: int | None) -> str:
        return "nothing" if node_id is None else words.name(self._engine.graph.node(node_id))

    def _last_and_next(self) -> Iterator[tuple[str, Node]]:
        last = self._engine.steps[-1].node if self._engine.steps else None
        failed = self._engine.failed
        following = ("next", self._engine.next) if failed is None else ("raised", failed)
        for what, node_id in (("last", last), following):
            if node_id is not None:
                yield what, self._engine.graph.node(node_id)

    def _print_gradients(self, what: str) -> None:
        if not self._engine.steps:
            raise OptionError("nothing has run yet; step runs the next node")
        grads = self._engine.came if what == "in" else self._engine.went
        for slot, grad in enumerate(grads):
            self.say(f"{what}[{slot}] = {words.details(grad)}")
        if not grads:
            self.say(f"{what}: nothing")

    def _print_saved(self, wanted: str) -> None:
        number = re.fullmatch(r"#(\d+)", wanted)
        nodes = list(self._last_and_next())
        if number is not None:
            if int(number[1]) >= len(self._engine.graph):
                raise OptionError(f"print saved {wanted}: there is no such node; graph lists them")
            nodes, wanted = [("", self._engine.graph.node(int(number[1])))], ""
        found = False
        for what, node in nodes:
            live = self._engine.saved(node.id)
            lines = [
                f"    {each.name} = {_held(live.get(each.name), each.released)}"
                f"{escaped(f'  ({called(each)})') if each.variable else ''}"
                for each in node.saved
                if wanted in ("", each.name)
            ]
            if lines or not wanted:
                self.say(
                    f"{f'{what}: ' if what else ''}{words.name(node)} saved{':' if lines else ' nothing'}"
                )
            for line in lines:
                self.say(line)
            found |= bool(lines)
        if wanted and not found:
            raise OptionError(
                f"print saved {wanted}: neither node has saved anything of that name; see print saved"
            )

    def _print_leaf(self, text: str) -> None:
        names = {name: node for node in self._engine.graph.leaves for name in _leaf_names(node)}
        name = text if text in names else text.removesuffix(".grad")
        if name not in names:
            known = ["in", "out", "saved", *(f"{each}{end}" for each in names for end in ("", ".grad"))]
            hint = nearest(text, known, "print in, out, saved, saved NAME, LEAF or LEAF.grad")
            raise OptionError(f"print {text}: there is no leaf {name!r}; {hint}")
        node = names[name]
        if text == name:
            self.say(f"{escaped(text)} = {words.details(self._engine.leaf(node.id))}")
            return
        grad = self._engine.grads.get(node.variable or "")
        there = words.details(grad) if grad is not None else "not there yet"
        if grad is None and node.id in {step.node for step in self._engine.steps}:
            there = "none"
        self.say(f"{escaped(text)} = {there}")


def _message(error: LabError) -> str:
    return escaped(error.on_command_line())


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _leaf_names(node: Node) -> list[str]:
    return [name for name in (node.variable, *node.aliases) if name]


def _held(found: Any, released: bool | None) -> str:
    if isinstance(found, torch.Tensor):
        return words.details(found)
    return "released by an earlier backward" if released else repr(found)
