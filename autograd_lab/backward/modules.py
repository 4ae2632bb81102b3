"""What a module is called: its dotted path in the model, and which call of it is running.

The model is known if ``watch`` was told of it. Otherwise the *roots*, modules that no other is known to contain, are
found as they are called: among the variables of the main program, or else they are their own root.

Note [Roots that are found late]
A module may be called before it's known which model it is part of: ``m["G"](x)`` of a ``ModuleDict`` that is never
called itself, or the model that a TARGET returns beside its loss. Such a module is a root at first, and calls are noted
by their path in it. When a root is found that contains it, it gets its place in there, and the calls are named from
there. A model that was given names its modules itself, even where a larger one around it was called.
"""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

import torch

from autograd_lab._torch.modules import Module
from autograd_lab.backward.root import Named, RootModule, by_tensor, there
from autograd_lab.capture.models import Models

_NUMBER = re.compile(r"#\d+$")

_FEW = 64
"""So many tensors that replaced parameters are noted before those that are gone are struck out."""


class ModuleCall(NamedTuple):
    """A call of a module that is running or is over.

    Attributes:
        root: The root that contains the module; ``None`` outside of all modules.
        path: Its path in there.
        text: The same, with ``#2`` after the part that is called a second time, and so on.
        counts: How often each module was called inside it.
    """

    root: RootModule | None
    path: str
    text: str
    counts: dict[Hashable, int]


class RootModules:
    """Every root that is known.

    Args:
        model: The model, if it's known from the start.
    """

    def __init__(self, model: Module | None) -> None:
        self._roots: list[RootModule] = [] if model is None else [RootModule(model, None)]
        self._given = model
        self._replaced: list[tuple[weakref.ref[Module], Named]] = []
        self._many = _FEW

    def hold(self) -> None:
        """Holds the model that was given. See Note [Models that go] in ``root.py``."""
        self._given = next((root.module for root in self._roots if root.name is None), None)

    def let_go(self) -> None:
        """Holds no model any more."""
        self._given = None

    def call(self, module: Module, around: ModuleCall) -> ModuleCall:
        """Returns the record of a call that begins.

        Args:
            module: What is called.
            around: The call inside which it is.

        Returns:
            The call; ``around.counts`` has counted it.
        """
        root, path = self._find(module, around)
        made_here = (
            root.path(module) is None
        )  # in the forward, anew each time: such are counted by their class
        key: Hashable = (id(root), path) if made_here else weakref.ref(module)
        # A call that makes no graph (an evaluation between two steps) mustn't make the next one the second.
        count = around.counts.get(key, 0) + 1 if torch.is_grad_enabled() else 1
        around.counts[key] = count if torch.is_grad_enabled() else around.counts.get(key, 0)
        text = path if around.root is not root else _under(path, around)
        return ModuleCall(root, path, text if count == 1 else f"{text}#{count}", {})

    def know(self, model: Module) -> None:
        """Takes a model for *the* model, as if it had been given at the start. See Note [Roots that are found late]."""
        self._add(RootModule(model, None))

    def full_path(self, call: ModuleCall) -> str | None:
        """Returns a call's path for records: bare if there is one model, else behind its root's name."""
        if call.root is None:
            return None
        root, text = self._seen(call)
        if text.startswith("#"):
            return f"{root.name or root.kind}{text}"
        return self._prefix(root) + text if text else self._prefix(root).rstrip(".")

    def classes(self, modules: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Returns the classes of modules and of those around them, as ``Graph.classes`` has them.

        Args:
            modules: Paths of calls, as `full_path` returns them.
        """
        starts = [(self._prefix(root), root) for root in self._roots]

        def kind(path: str) -> str | None:
            within = (
                root.kinds.get(path[len(start) :]) for start, root in starts if f"{path}.".startswith(start)
            )
            return next(filter(None, within), None)

        found: dict[str, str | None] = {}
        for module in modules:
            names = [_NUMBER.sub("", name) for name in module.split(".")] if module else []
            if names and "#" in module.partition(".")[0] and kind(names[0]) is None:
                del names[0]  # the model's own further call, which is called after its class
            for length in range(len(names), -1, -1):
                path = ".".join(names[:length])
                if path in found:
                    break
                found[path] = kind(path)
        return tuple(sorted((path, name) for path, name in found.items() if name is not None))

    def naming(self) -> Models:
        """Returns what ``capture`` takes as ``model``: every root with what stands before its names."""
        parts = [
            (self._prefix(root), module) for root in self._training() if (module := root.module) is not None
        ]
        return Models(parts, self._stand_ins())

    def replaced(self, module: Module) -> None:
        """Notes the tensors on which a module is called now in the place of its own parameters.

        Args:
            module: What ``torch.func.functional_call`` calls.
        """
        if len(self._replaced) > self._many:
            self._replaced = [each for each in self._replaced if each[1][1]() is not None]
            self._many = 2 * len(self._replaced) + _FEW
        named = by_tensor(module.named_parameters(remove_duplicate=False))
        self._replaced += [(weakref.ref(module), each) for each in named]

    def _stand_ins(self) -> Iterator[tuple[list[str], torch.Tensor]]:
        for root in self._roots:
            start = self._prefix(root)
            yield from (([start + name for name in names], tensor) for names, tensor in root.left())
        for module, named in self._replaced:
            for names, tensor in there([named]):
                start = self._start(module())
                yield [start + name for name in names], tensor

    def _start(self, module: Module | None) -> str:
        """Returns what stands before the names of a module's parameters."""
        for root in self._roots:
            path = root.path(module)
            if path is not None:
                return self._prefix(root) + (f"{path}." if path else "")
        return ""

    def _prefix(self, root: RootModule) -> str:
        alone = root.name is None or (root.trains and len(self._training()) == 1)
        return "" if alone else f"{root.name}."

    def _seen(self, call: ModuleCall) -> tuple[RootModule, str]:
        """See Note [Roots that are found late]."""
        root, path, text = call.root, call.path, call.text
        assert root is not None
        while root.within is not None:
            root, start = root.within
            path, text = _joined(start, path), _joined(start, text)
        for known in self._roots:
            inside = root.path(known.module) if known is not root and known.name is None else None
            if inside is not None and f"{path}.".startswith(f"{inside}." if inside else ""):
                return known, _after(text, inside)
        return root, text

    def _training(self) -> list[RootModule]:
        return [root for root in self._roots if root.trains]

    def _find(self, module: Module, around: ModuleCall) -> tuple[RootModule, str]:
        for root in self._roots:
            path = root.path(module)
            if path is not None:
                return root, path
        if around.root is not None:
            around.root.look_again()
            path = around.root.path(module)
            return around.root, f"{around.path}.{type(module).__name__}".lstrip(".") if path is None else path
        return self._discover(module)

    def _discover(self, module: Module) -> tuple[RootModule, str]:
        for name, candidate in _variables_of_main():
            root = RootModule(candidate, name)
            path = root.path(module)
            if path is not None:
                self._add(root)
                return root, path
        taken = {root.name for root in self._roots if not root.is_gone}
        kind = type(module).__name__
        numbered = (kind if number == 1 else f"{kind}{number}" for number in range(1, len(taken) + 2))
        root = RootModule(module, next(name for name in numbered if name not in taken))
        self._add(root)
        return root, ""

    def _add(self, root: RootModule) -> None:
        """See Note [Roots that are found late]."""
        kept = []
        for other in self._roots:
            path = root.path(other.module)
            if other.is_gone or (path is not None and other.name is not None):
                other.within = None if path is None else (root, path)
            else:
                kept.append(other)
        self._roots = [root, *kept] if root.name is None else [*kept, root]


def _joined(start: str, path: str) -> str:
    return f"{start}{path}" if path.startswith("#") else f"{start}.{path}".strip(".")


def _after(text: str, start: str) -> str:
    """Returns what follows a path in a text whose parts may have numbers; the number of the path's last part stays."""
    if not start:
        return text
    parts = text.split(".")
    if parts[0].startswith("#"):  # the root's own number has no part in the path
        del parts[0]
    length = start.count(".") + 1
    number = parts[length - 1].partition("#")[2]
    return ".".join(([f"#{number}"] if number else []) + parts[length:])


def _under(path: str, around: ModuleCall) -> str:
    """Returns a child's path below its parent's text; one that isn't the parent's child keeps its own."""
    if not around.path:
        return f"{around.text}.{path}".lstrip(".") if path else around.text
    return around.text + path[len(around.path) :] if path.startswith(f"{around.path}.") else path


def _variables_of_main() -> Iterator[tuple[str, Module]]:
    """Returns the modules among the main program's variables, those that contain most first."""
    found = [
        (name, value)
        for name, value in list(vars(sys.modules["__main__"]).items())
        if isinstance(value, Module) and not name.startswith("_")
    ]
    return iter(sorted(found, key=lambda item: -sum(1 for _ in item[1].modules())))
