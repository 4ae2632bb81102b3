"""What a module is called: its dotted path in the model, and which call of it is running.

The model is known if ``watch`` was told of it. Otherwise the *roots*, modules that no other is known to contain, are
found as they are called: among the variables of the main program, or else they are their own root.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from typing import NamedTuple

import torch

Module = torch.nn.Module


class Root:
    """A model, or what is taken for one.

    Args:
        module: The module. It's held weakly.
        name: What the user calls it; ``None`` for one that was passed as *the* model.
    """

    def __init__(self, module: Module, name: str | None) -> None:
        self.name = name
        self._module = weakref.ref(module)
        self._paths: weakref.WeakKeyDictionary[Module, str] = weakref.WeakKeyDictionary()
        self._read(module)

    @property
    def module(self) -> Module | None:
        """The module, while it's there."""
        return self._module()

    @property
    def trains(self) -> bool:
        """Whether it has parameters."""
        module = self._module()
        return module is not None and next(module.parameters(), None) is not None

    def path(self, module: Module) -> str | None:
        """Gives a module's path as ``named_modules()`` says it; ``None`` if it isn't in here."""
        return self._paths.get(module)

    def look_again(self) -> None:
        """Looks for modules that were added since."""
        module = self._module()
        if module is not None:
            self._read(module)

    def _read(self, module: Module) -> None:
        for path, inner in module.named_modules():
            self._paths.setdefault(inner, path)


class ModuleCall(NamedTuple):
    """A call of a module that is running or is over.

    Attributes:
        root: Whose module it is; ``None`` for what stands around all modules.
        path: Its path in there.
        text: The same, with ``#2`` after the part that is called a second time, and so on.
        counts: How often each path was called inside it.
    """

    root: Root | None
    path: str
    text: str
    counts: dict[tuple[int, str], int]


class Roots:
    """Every root that is known.

    Args:
        model: The model, if it's known from the start.
    """

    def __init__(self, model: Module | None) -> None:
        self._roots: list[Root] = [] if model is None else [Root(model, None)]

    def call(self, module: Module, around: ModuleCall) -> ModuleCall:
        """Gives the record of a call that begins.

        Args:
            module: What is called.
            around: The call inside which it is.

        Returns:
            The call; ``around.counts`` has counted it.
        """
        root, path = self._find(module, around)
        key = (id(root), path)
        # A call that makes no graph (an evaluation between two steps) mustn't make the next one the second.
        count = around.counts.get(key, 0) + 1 if torch.is_grad_enabled() else 1
        around.counts[key] = count if torch.is_grad_enabled() else around.counts.get(key, 0)
        text = path if around.root is not root else _under(path, around)
        return ModuleCall(root, path, text if count == 1 else f"{text}#{count}", {})

    def full_path(self, call: ModuleCall) -> str | None:
        """Gives the path of a call as records have it: that of the one model alone, or after the root's name."""
        if call.root is None:
            return None
        if call.root.name is None or (call.root.trains and len(self._training()) == 1):
            return call.text
        return f"{call.root.name}.{call.text}".rstrip(".").replace(".#", "#")

    def naming(self) -> tuple[Module | None, dict[str, torch.Tensor]]:
        """Gives what ``capture`` takes as ``model`` and as ``names``, for the parameters of every root."""
        training = self._training()
        if len(training) == 1:
            return training[0].module, {}
        names: dict[str, torch.Tensor] = {}
        for root in training:
            module = root.module
            prefix = f"{root.name}." if root.name else ""
            assert module is not None  # it trains
            for name, tensor in module.named_parameters(remove_duplicate=False):
                names.setdefault(prefix + name, tensor)
        return None, names

    def _training(self) -> list[Root]:
        return [root for root in self._roots if root.trains]

    def _find(self, module: Module, around: ModuleCall) -> tuple[Root, str]:
        for root in self._roots:
            path = root.path(module)
            if path is not None:
                return root, path
        if around.root is not None:
            around.root.look_again()
            path = around.root.path(module)
            return around.root, f"{around.path}.{type(module).__name__}".lstrip(".") if path is None else path
        return self._discover(module)

    def _discover(self, module: Module) -> tuple[Root, str]:
        for name, candidate in _variables_of_main():
            root = Root(candidate, name)
            path = root.path(module)
            if path is not None:
                self._add(root)
                return root, path
        taken = {root.name for root in self._roots}
        kind = type(module).__name__
        numbered = (kind if number == 1 else f"{kind}{number}" for number in range(1, len(taken) + 2))
        root = Root(module, next(name for name in numbered if name not in taken))
        self._add(root)
        return root, ""

    def _add(self, root: Root) -> None:
        """A root that contains earlier ones takes their place."""
        self._roots = [
            other
            for other in self._roots
            if other.module is not None and (other.name is None or root.path(other.module) is None)
        ]
        self._roots.append(root)


def _under(path: str, around: ModuleCall) -> str:
    """A child's path below its parent's text; one that isn't the parent's child keeps its own."""
    if not around.path:
        return f"{around.text}.{path}".lstrip(".") if path else around.text
    return around.text + path[len(around.path) :] if path.startswith(f"{around.path}.") else path


def _variables_of_main() -> Iterator[tuple[str, Module]]:
    """The modules among the main program's variables, those that contain most first."""
    found = [
        (name, value)
        for name, value in list(vars(sys.modules["__main__"]).items())
        if isinstance(value, Module) and not name.startswith("_")
    ]
    return iter(sorted(found, key=lambda item: -sum(1 for _ in item[1].modules())))
