"""What the user calls each tensor.

Names come from a model's parameters and buffers, as ``named_parameters()`` and ``named_buffers()`` say them, and
from a mapping name → tensor for any other tensor: an input, an intermediate, a leaf. A tensor with several
names (tied parameters) keeps all of them, the model's first.

Note [One tensor, several Python objects]
A leaf and a saved input are always met as the very tensor that the user holds, so they're known by identity. An
operation's own result isn't: keeping it would make a circle, so torch saves it without its ``grad_fn`` and
hands out a new object. It's known by its memory: a named tensor that came out of this node and whose storage,
offset, shape and strides are the same.

Note [Views of named tensors]
``linear`` saves ``weight.t()``, a new tensor in the parameter's memory. A saved tensor that is none of the named ones
is taken for a view of the smallest named tensor whose bytes include all of its own.

Note [Stand-ins]
``torch.func.functional_call(model, {"weight": w}, x)`` runs a model on other tensors than its own. A leaf ``w`` is then
called ``weight``. Where the model's own ``weight`` is in the same graph, or a second tensor stands in for it, the later
ones are ``weight#2``, ``weight#3``, ….
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch.autograd.graph import Node

from autograd_lab._torch import nodes as _nodes, saved as _saved
from autograd_lab.capture.models import Models, named_modules
from autograd_lab.errors import GraphError, article
from autograd_lab.records import Graph

Names: TypeAlias = Mapping[str, torch.Tensor]


class Known(NamedTuple):
    """What is known of a saved tensor.

    Attributes:
        name: As for ``Saved.variable``.
        view: As for ``Saved.view``.
        owner: As for ``Saved.owner``.
    """

    name: str | None = None
    view: str | None = None
    owner: str | None = None


_UNNAMED = {owner: Known(None, None, owner) for owner in (None, "parameter", "buffer")}


class NameBook:
    """Finds the names of tensors.

    Args:
        model: Its parameters and buffers get their dotted names; ``Models`` where there are several.
        names: Further tensors by name.

    Raises:
        GraphError: ``model`` is no module, ``names`` is no mapping of texts to tensors, or a name is given to two
            tensors.
    """

    def __init__(self, model: torch.nn.Module | Models | None, names: Names | None) -> None:
        models = Models.of(model)
        self._tensors: dict[str, torch.Tensor] = {}
        self._by_identity: dict[int, list[str]] = {}
        self._by_slot: dict[tuple[Node, int], list[str]] = {}
        self._results: dict[Node, list[tuple[torch.Tensor, str]]] = {}
        self._by_storage: dict[int | None, list[tuple[str, torch.Tensor]]] = {}
        for name, tensor in models.named():
            self._tensors.setdefault(name, tensor)
            self._enter(name, tensor)
        self._of_models = dict(self._tensors)
        for name, tensor in _checked(names):
            known = self._by_identity.get(id(tensor), ())
            if self._tensors.get(name, tensor) is not tensor and name not in known:
                raise GraphError(
                    f"names[{name!r}] is another tensor than the model's {name!r}; give one of them another name"
                )
            if name not in known:
                self._tensors[name] = tensor
                self._enter(name, tensor)
        self._models = models
        self._stand_ins = models.stand_ins
        self._owners = _owners(models)

    def settle(self, nodes: Collection[Node]) -> None:
        """Names what stands in for parameters. See Note [Stand-ins].

        Args:
            nodes: All nodes of the graph.
        """
        if not self._stand_ins:
            return
        leaves = [_nodes.variable(node) for node in nodes if _nodes.type_of(node).kind == "accumulate"]
        met, made = {id(leaf) for leaf in leaves}, set(nodes)
        taken = {name for leaf in leaves for name in self.of_tensor(leaf)}
        for names, tensor in self._stand_ins:
            if id(tensor) in self._by_identity or not (id(tensor) in met or tensor.grad_fn in made):
                continue
            suffixes = itertools.chain([""], (f"#{number}" for number in itertools.count(2)))
            suffix = next(each for each in suffixes if names[0] + each not in taken)
            for name in names:
                taken.add(name + suffix)
                self._tensors.setdefault(name + suffix, tensor)
                self._enter(name + suffix, tensor)

    def _enter(self, name: str, tensor: torch.Tensor) -> None:
        self._by_identity.setdefault(id(tensor), []).append(name)
        node = tensor.grad_fn  # reading it first brings a stale view's up to date
        if node is not None:
            self._by_slot.setdefault((node, tensor.output_nr), []).append(name)
            self._results.setdefault(node, []).append((tensor, name))
        memory = _saved.memory(tensor)
        if memory is not None:
            self._by_storage.setdefault(memory[0], []).append((name, tensor))

    @property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        """Every named tensor."""
        return self._tensors

    def unreached(self, graph: Graph) -> tuple[str, ...]:
        """Returns the names of the models' parameters that want a gradient and aren't among a graph's leaves.

        Args:
            graph: The graph.
        """
        if not self._of_models:
            return ()
        reached = {
            name for leaf in graph.leaves for name in (leaf.variable, *leaf.aliases) if name is not None
        }
        reached |= {
            name.partition("#")[0] for name in reached
        }  # what stands in for a parameter in a further call
        wanting = {
            id(tensor): name for name, tensor in reversed(self._of_models.items()) if tensor.requires_grad
        }
        return tuple(
            name
            for tensor, name in reversed(wanting.items())
            if reached.isdisjoint((name, *self._by_identity[tensor]))
        )

    def of_tensor(self, tensor: torch.Tensor) -> list[str]:
        """Returns the names of a tensor met as itself; empty if it has none."""
        return self._by_identity.get(id(tensor), [])

    def of_module(self, module: torch.nn.Module) -> str:
        """Returns a module's path in its model; the name of its class where it has none."""
        for prefix, model in self._models.parts:
            for path, each in named_modules(model):
                if each is module and prefix + path:
                    return (prefix + path).removesuffix(".")
        return type(module).__name__

    def intermediates(self) -> Iterator[torch.Tensor]:
        """Returns every named tensor that is no leaf."""
        return (tensor for results in self._results.values() for tensor, _ in results)

    def slots(self) -> Iterator[tuple[tuple[Node, int], str]]:
        """Returns, for every named tensor that is no leaf, the slot its gradient flows into, and its names."""
        return ((slot, ", ".join(names)) for slot, names in self._by_slot.items())

    def of_saved(self, node: Node, tensor: torch.Tensor, storage: int | None) -> Known:
        """Returns what is known of a tensor that a node saved.

        See Note [One tensor, several Python objects] and Note [Views of named tensors].

        Args:
            node: The node.
            tensor: What it saved.
            storage: The identity of the tensor's storage; ``None`` where it has none.
        """
        owner = self._owners.get(storage)
        if owner is None and _saved.parameter_behind(tensor):
            owner = "parameter"
        names = self._by_identity.get(id(tensor))
        if names:
            return Known(names[0], None, owner)
        for candidate, name in self._results.get(node, ()):
            if _same_memory(candidate, tensor):
                return Known(name, None, owner)
        around = _smallest_around(tensor, self._by_storage.get(storage, ()))
        return Known(*around, owner) if around else _UNNAMED[owner]


def _smallest_around(
    tensor: torch.Tensor, candidates: Sequence[tuple[str, torch.Tensor]]
) -> tuple[str, str | None] | None:
    """The name of the named tensor of the same storage that a tensor is a view of, and which view it is."""
    if not candidates:
        return None
    own = _saved.extent(tensor)
    found: list[tuple[int, str, torch.Tensor]] = []
    for name, candidate in candidates:
        whole = _saved.extent(candidate)
        if own is not None and whole is not None and whole[0] <= own[0] and own[1] <= whole[1]:
            found.append((whole[1] - whole[0], name, candidate))
    if not found:
        return None
    _, name, candidate = min(found, key=operator.itemgetter(0))  # the first of several of one size
    return name, _view(tensor, candidate)


def _view(tensor: torch.Tensor, of: torch.Tensor) -> str | None:
    """Returns how a tensor views another one's memory; ``None`` where both have one layout."""
    if tensor.dtype is not of.dtype or tensor.is_conj() != of.is_conj() or tensor.is_neg() != of.is_neg():
        return "view"
    own, other = _layout(tensor), _layout(of)
    if own == other:
        return None
    shape, stride, offset = other
    return "transposed" if own == (_swapped(shape), _swapped(stride), offset) else "view"


def _swapped(sizes: _nodes.Shape) -> _nodes.Shape:
    return (*sizes[:-2], *reversed(sizes[-2:]))


def _owners(models: Models) -> dict[int | None, str]:
    """Which storages the models keep, whatever becomes of a graph."""
    kept = (("buffer", models.buffers()), ("parameter", models.parameters()))
    return {
        memory[0]: kind for kind, tensors in kept for tensor in tensors if (memory := _saved.memory(tensor))
    }


def _checked(names: Names | None) -> list[tuple[str, torch.Tensor]]:
    if names is None:
        return []
    if not isinstance(names, Mapping):
        raise GraphError(f"names is {article(type(names).__name__)}; pass a mapping from name to tensor")
    for name, tensor in names.items():
        if not isinstance(name, str):
            raise GraphError(f"names has the key {name!r}; names are texts")
        if not isinstance(tensor, torch.Tensor):
            raise GraphError(f"names[{name!r}] is {article(type(tensor).__name__)}; give a tensor")
    return list(names.items())


def _same_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    ours, theirs = _saved.memory(a), _saved.memory(b)
    if ours is None or theirs is None or ours[0] != theirs[0]:
        return False
    return _layout(a) == _layout(b)


def _layout(tensor: torch.Tensor) -> tuple[_nodes.Shape, ...]:
    """Shape, strides and offset as plain data: symbolic sizes mustn't be compared, since that decides them."""
    return tuple(map(_nodes.sizes, (tensor.shape, tensor.stride(), (tensor.storage_offset(),))))
