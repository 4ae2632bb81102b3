"""A model, or what is taken for one, and what it calls its modules and tensors.

Note [Models that go]
Modules that are made for one call are gone before its backward, while the graph keeps their parameters. So what is
found is held weakly, with its parameters' names; a root is forgotten when none of these is there any more. A model
that was given is held while something is watched, since nobody else may do so.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator

import torch

from autograd_lab._torch.modules import Module, weak
from autograd_lab.capture.models import Models, named_modules

Named = tuple[list[str], Callable[[], torch.Tensor | None]]
"""The names of a tensor, which is held weakly."""


class RootModule:
    """A model, or what is taken for one.

    Args:
        module: The module. It's held weakly.
        name: What the user calls it; ``None`` for one that was passed as *the* model.

    Attributes:
        kind: Its class's name.
        kinds: The class's name of each module in it, by its path.
        within: A root that was found to contain it, and its path in there.
    """

    def __init__(self, module: Module, name: str | None) -> None:
        self.name = name
        self.kind = type(module).__name__
        self.kinds: dict[str, str] = {}
        self.within: tuple[RootModule, str] | None = None
        self._module = weakref.ref(module)
        self._tensors = by_tensor(Models.of(module).named())
        self._paths: weakref.WeakKeyDictionary[Module, str] = weakref.WeakKeyDictionary()
        self._read(module)

    @property
    def module(self) -> Module | None:
        """The module, while it's there."""
        return self._module()

    @property
    def trains(self) -> bool:
        """Whether it has parameters, or had some that are there without it."""
        module = self._module()
        if module is None:
            return next(self.left(), None) is not None
        return next(module.parameters(), None) is not None

    def left(self) -> Iterator[tuple[list[str], torch.Tensor]]:
        """Yields its tensors that are there without it, with their names. See Note [Models that go]."""
        if self._module() is None:
            yield from there(self._tensors)

    @property
    def is_gone(self) -> bool:
        """Whether neither it nor any of its tensors is there."""
        return self._module() is None and not self.trains

    def path(self, module: Module | None) -> str | None:
        """Returns a module's path in ``named_modules()``; ``None`` if it isn't in here."""
        return None if module is None else self._paths.get(module)

    def look_again(self) -> None:
        """Looks for modules that were added since."""
        module = self._module()
        if module is not None:
            self._read(module)

    def _read(self, module: Module) -> None:
        for path, inner in named_modules(module):
            self._paths.setdefault(inner, path)
            self.kinds.setdefault(path, type(inner).__name__)


def by_tensor(pairs: Iterable[tuple[str, torch.Tensor]]) -> list[Named]:
    """Returns each tensor once, with all its names."""
    names: dict[int, tuple[list[str], torch.Tensor]] = {}
    for name, tensor in pairs:
        names.setdefault(id(tensor), ([], tensor))[0].append(name)
    return [(called, weak(tensor)) for called, tensor in names.values()]


def there(named: Iterable[Named]) -> Iterator[tuple[list[str], torch.Tensor]]:
    """Yields those tensors that are still there, with their names."""
    for names, held in named:
        tensor = held()
        if tensor is not None:
            yield names, tensor
