"""What torch calls a model's modules, parameters and buffers.

That is what ``named_modules()``, ``named_parameters()`` and ``named_buffers()`` say, but for wrappers that the user's
code never names: see Note [Names without wrappers].

Note [Names without wrappers]
``torch.compile(model)`` is a module around the model, which torch puts before the names of all that lies in it; that
part is left out, and a model has the same names compiled or not. ``DistributedDataParallel``'s ``module.`` stays:
there ``model.module`` is what users write. ``fully_shard`` gathers a parameter into another tensor for the forward;
that one has the parameter's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab._torch import modules as _wrappers
from autograd_lab._torch.modules import Module
from autograd_lab.errors import GraphError, article


def named_modules(model: Module) -> Iterator[tuple[str, Module]]:
    """Returns a model's modules with their paths. See Note [Names without wrappers].

    Example:
        >>> [path for path, _ in named_modules(torch.nn.Sequential(torch.nn.Tanh()))]
        ['', '0']
    """
    return ((_wrappers.unwrapped(path, model), module) for path, module in model.named_modules())


class Made(NamedTuple):
    """What a user's function returned that makes a loss.

    Attributes:
        loss: The loss, or whatever stands in its place.
        model: The model, if it was returned too, or what holds all of them.
        names: Tensors that were returned with a name for each.
    """

    loss: Any
    model: Module | None = None
    names: Mapping[str, torch.Tensor] = {}


def taken_apart(value: Any) -> Made:
    """Splits what a user's function returned into the loss, the model and named tensors.

    Args:
        value: A loss; ``(loss, model)``; ``(loss, model, names)``, in which ``model`` may be ``None``; or a dictionary
            with the keys ``"loss"`` and ``"model"``, ``"names"`` or both.

    Returns:
        The parts. Whatever has another form is a loss.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> taken_apart((x.sum(), None, {"x": x})).names
        {'x': tensor([1., 1.], requires_grad=True)}
    """
    loss, model, names = value, None, {}
    if isinstance(value, Mapping) and "loss" in value and value.keys() <= set(Made._fields):
        loss, model, names = value["loss"], value.get("model"), value.get("names", {})
    elif isinstance(value, tuple) and len(value) in (2, 3):
        loss, model, names = (*value, {})[:3]
    found = model_of(model)
    if (
        not isinstance(names, Mapping)
        or (model is None and not _are_tensors(names))
        or (model is not None and found is None)
    ):
        return Made(value)
    return Made(loss, found, names)


def _are_tensors(names: Mapping[str, Any]) -> bool:
    return bool(names) and all(isinstance(each, torch.Tensor) for each in names.values())


def model_of(value: Any) -> Module | None:
    """Returns a model, or one that holds all those of a list or dictionary under their indices or keys.

    Args:
        value: A module; or a list, tuple or dictionary of modules, nested or not.

    Returns:
        The model; ``None`` where there is none, or something else beside.

    Example:
        >>> held = model_of({"gen": [torch.nn.Linear(1, 1)]})
        >>> [name for name, _ in held.named_parameters()]
        ['gen.0.weight', 'gen.0.bias']
    """
    if isinstance(value, Module):
        return value
    if not isinstance(value, list | tuple | Mapping):
        return None
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    held = {str(key): model_of(each) for key, each in items}
    found = {key: model for key, model in held.items() if model is not None}
    return _wrappers.together(found) if found and len(found) == len(value) else None


class Models:
    """The models whose parameters and buffers have names.

    Args:
        parts: Each with what stands before its names: ``""`` or ``"encoder."``. What an earlier one has named, a later
            one doesn't name again.
        stand_ins: The names of parameters that a call replaced by a tensor (``torch.func.functional_call``), and that
            tensor.
    """

    def __init__(
        self,
        parts: Iterable[tuple[str, Module]],
        stand_ins: Iterable[tuple[Sequence[str], torch.Tensor]] = (),
    ) -> None:
        self.parts = tuple(parts)
        self.stand_ins = tuple(stand_ins)

    @classmethod
    def of(cls, model: Any) -> Models:
        """Returns the models that a caller's ``model`` stands for.

        Raises:
            GraphError: It is no module.
        """
        if isinstance(model, Models):
            return model
        if model is not None and not isinstance(model, Module):
            kind = type(model).__name__
            raise GraphError(f"model is {article(kind)}; pass a torch.nn.Module, or tensors as names={{…}}")
        return cls(() if model is None else [("", model)])

    def named(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yields each parameter and buffer with each of its names."""
        known: set[int | str] = set()
        for prefix, model in self.parts:
            pairs = ((prefix + name, tensor) for name, tensor in _named(model))
            found = [(name, tensor) for name, tensor in pairs if not known & {name, id(tensor)}]
            known |= {each for name, tensor in found for each in (name, id(tensor))}
            yield from found

    def parameters(self) -> Iterator[torch.Tensor]:
        """Yields each model's parameters."""
        return (tensor for _, model in self.parts for tensor in model.parameters())

    def buffers(self) -> Iterator[torch.Tensor]:
        """Yields each model's buffers."""
        return (tensor for _, model in self.parts for tensor in model.buffers())


def _named(model: Module) -> Iterator[tuple[str, torch.Tensor]]:
    for tensors in (model.named_parameters, model.named_buffers):
        yield from (
            (_wrappers.unwrapped(name, model), tensor) for name, tensor in tensors(remove_duplicate=False)
        )
    yield from _gathered(model)


def _gathered(model: Module) -> Iterator[tuple[str, torch.Tensor]]:
    """What ``fully_shard`` gathered, where the model doesn't hold it as its parameter just now."""
    found = [each for module in model.modules() for each in _wrappers.unsharded(module)]
    if not found:
        return
    held = {id(tensor) for tensor in model.parameters()}
    paths = {module: path for path, module in named_modules(model)}
    for module, name, tensor in found:
        if id(tensor) not in held and module in paths:
            yield f"{paths[module]}.{name}".lstrip("."), tensor
