"""What a TARGET names: from a text on the command line to a live loss.

A TARGET is ``path/to/file.py:name`` or ``package.module:name``. What it names is

- a callable without arguments that returns a loss, ``(loss, model)``, in which the models may stand in a list or
  dictionary, or ``(loss, model, names)``, where the model may be ``None`` and names is a dictionary of tensors; the
  same may stand in a dictionary with the keys ``"loss"``, ``"model"`` and ``"names"``; or
- a module, or a callable without arguments that returns one, together with ``--input``: the loss is then the
  sum of the floating outputs.

Promises that whatever goes wrong on the way, in the user's code too, comes out as one ``TargetError`` that says
what to do.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from autograd_lab.backward.forward import noting
from autograd_lab.capture.models import Made, taken_apart
from autograd_lab.capture.outputs import roots, starts, tensors
from autograd_lab.cli.raised import at
from autograd_lab.errors import GraphError, TargetError, article, nearest, one_line
from autograd_lab.hold import Hold
from autograd_lab.records import Graph

_INPUT = re.compile(r"(?P<sizes>\d+(?:x\d+)*|scalar)(?::(?P<dtype>\w+))?")


Annotate = Callable[[Graph], Graph]
"""Returns a graph whose nodes know where in the forward they were made."""


class Target(NamedTuple):
    """What a TARGET gave.

    Attributes:
        loss: A live tensor with a graph, or what the user's callable returned in its place.
        model: The model, where there is one, or what holds all of them; in the block of ``watched`` all that name a
            tensor.
        names: The tensors that the callable returned with a name; in the block of ``watched`` also the others.
        others: The made inputs: ``input0``, ``input1``, …; or the tensors that the callable's file calls by a name.
        defined: Where the callable is defined, in brackets, to put after a message; empty where it isn't known.
    """

    loss: Any
    model: Any
    names: Mapping[str, torch.Tensor]
    others: Mapping[str, torch.Tensor]
    defined: str = ""


@contextlib.contextmanager
def watched(text: str, inputs: Sequence[str] = ()) -> Iterator[tuple[Target, Annotate]]:
    """Loads a TARGET and notes its forward.

    Args:
        text: As for ``load``.
        inputs: As for ``load``.

    Returns:
        A context manager that gives the target, and what puts modules, lines and calls into its graph.

    Raises:
        TargetError: As for ``load``.
    """
    with Hold() as held:
        forward = noting(held)
        found = load(text, inputs)
        if found.model is not None:
            forward.know(found.model)
        models = forward.naming()  # the model's, and those of whatever else was called
        names = {**_others(found.others, [*models.named(), *found.names.items()]), **found.names}
        yield found._replace(model=models, names=names), forward.annotated


def load(text: str, inputs: Sequence[str] = ()) -> Target:
    """Returns the live loss that a TARGET stands for.

    Args:
        text: ``path/to/file.py:name`` or ``package.module:name``.
        inputs: Shapes for a module's inputs: ``"1x3x224x224"``, ``"2x16:int64"``, ``"scalar"``.

    Returns:
        The loss, its model and the inputs that were made.

    Raises:
        TargetError: It can't be read, imported, found, called or built.
    """
    made = [_make_input(shape) for shape in inputs]
    found = _find(text)
    if isinstance(found, torch.nn.Module):
        return _call_module(text, found, made)
    if not callable(found):
        raise TargetError(
            f"{text} is of type {type(found).__name__}; name a callable that returns a loss, or a module"
        )
    _takes_nothing(text, found)
    result = _run(f"calling {text}()", found)
    if isinstance(result, torch.nn.Module):
        return _call_module(text, result, made)
    if made:
        raise TargetError(
            f"{text}() returned {article(type(result).__name__)}; --input is for modules: leave it out"
        )
    loss, model, names = taken_apart(result)
    if model is None and next(tensors(loss), None) is None:
        raise TargetError(
            f"{text}() returned {article(type(result).__name__)}; have it return a loss, (loss, model), "
            f"(loss, model, names) or a module{defined(found)}"
        )
    _must_lose_nothing(text, found, loss)
    _must_have_a_graph(text, found, loss)
    return Target(loss, model, names, _global_tensors(found), defined(found))


def one_number(text: str, found: Target) -> None:
    """Refuses a loss that no backward can start at by itself.

    Args:
        text: The TARGET.
        found: What it gave.

    Raises:
        TargetError: A tensor in it has several elements and a graph.
    """
    for tensor in tensors(found.loss):
        if tensor.requires_grad and tensor.numel() != 1:
            raise TargetError(
                f"{text}() returned a tensor of shape {tuple(tensor.shape)}, and a backward starts at one number; "
                f"have it return a scalar, such as its .sum(){found.defined}"
            )


def _global_tensors(function: Any) -> dict[str, torch.Tensor]:
    """The tensors that a callable's file calls by a name: a leaf ``w`` is ``w`` to its user, not ``leaf0``."""
    found = getattr(inspect.unwrap(function), "__globals__", {})
    return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}


def _others(
    names: Mapping[str, torch.Tensor], taken: Iterable[tuple[str, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    """Those of ``names`` that have no name among those taken, and whose names aren't taken."""
    named = dict(taken)
    known = {id(tensor) for tensor in named.values()}
    return {name: one for name, one in names.items() if name not in named and id(one) not in known}


def find(text: str) -> Any:
    """Imports what a TARGET names, and calls nothing.

    Args:
        text: As for ``load``.

    Returns:
        The object.

    Raises:
        TargetError: It can't be read, imported or found.
    """
    return _find(text)


def built(text: str, found: Any) -> torch.nn.Module:
    """Returns the module that a TARGET names or builds.

    Args:
        text: The TARGET.
        found: What ``find`` gave.

    Returns:
        The module.

    Raises:
        TargetError: It builds something else, or raises.
    """
    if not isinstance(found, torch.nn.Module):
        _takes_nothing(text, found)
    made = found if isinstance(found, torch.nn.Module) else _run(f"calling {text}()", found)
    if not isinstance(made, torch.nn.Module):
        raise TargetError(
            f"{text}() returned {article(type(made).__name__)}; --input is for modules: leave it out"
        )
    return made


def made(inputs: Sequence[str]) -> tuple[torch.Tensor, ...]:
    """Makes tensors of the shapes that ``--input`` gives; floating ones require a gradient.

    Raises:
        TargetError: One of them is no shape.
    """
    tensors = map(_make_input, inputs)
    return tuple(tensor.requires_grad_(tensor.is_floating_point()) for tensor in tensors)


def is_saved(text: str) -> bool:
    """Returns whether a TARGET is a file in which ``lab.save`` kept a record."""
    return text.endswith(".json") and Path(text).is_file()


def _find(text: str) -> Any:
    where, colon, name = text.rpartition(":")
    if is_saved(text):
        raise TargetError(
            f"{text} is a saved record, and this needs a live loss; autograd-lab render draws it"
        )
    if not colon and text.endswith(".json"):
        raise TargetError(
            f"there is no file {text}; write path/to/file.py:name, or the path of a saved record"
        )
    if not colon or not where or not name:
        raise TargetError(f"{text!r} names nothing; write path/to/file.py:name or package.module:name")
    if is_saved(where):
        raise TargetError(f"{where} is a saved record, which has no names in it; give it alone: {where}")
    if not where.endswith(".py") and (os.sep in where or Path(where).is_file()):
        raise TargetError(f"{where} is no Python file; write path/to/file.py:name or package.module:name")
    module = _import_file(Path(where)) if where.endswith(".py") else _import_module(where)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [each for each in dir(found) if not each.startswith("_")]
            raise TargetError(f"{where} has no {name!r}; {nearest(part, public, 'look at what it defines')}")
        found = getattr(found, part)
    return found


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(f"there is no file {path}; give the path of a Python file before the colon")
    name = f"autograd_lab_target_{path.stem}"  # its own name could be that of a module it imports
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # a path that ends in .py has a loader
    loader = spec.loader
    assert loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up
    sys.path.insert(0, str(path.parent.resolve()))  # as `python path` does, so that its own imports work
    _run(f"importing {path}", lambda: loader.exec_module(module))
    return module


def _import_module(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    module: ModuleType = _run(f"importing {name}", lambda: importlib.import_module(name))
    return module


def _takes_nothing(text: str, call: Callable[[], Any]) -> None:
    """Refuses a callable that can't be called without arguments."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):  # what is written in C may not say
        return
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [each.name for each in parameters if each.default is each.empty and each.kind not in variadic]
    if needed:
        raise TargetError(
            f"{text} needs arguments ({', '.join(needed)}); name a function without any, which calls it with yours"
            f"{defined(call)}"
        )


def _run(what: str, call: Callable[[], Any]) -> Any:
    """Calls the user's code; what it raises becomes one line with the place that raised."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        raise TargetError(f"{what} raised {one_line(error)}{at(error)}") from error


def defined(call: Any) -> str:
    """Returns the place where a callable is defined, in brackets; empty where it isn't known."""
    code = getattr(inspect.unwrap(call), "__code__", None) if callable(call) else None
    return "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"


def _must_lose_nothing(text: str, call: Any, loss: Any) -> None:
    """Refuses several things, or a dictionary with a loss in it, of which one is neither a loss nor where it belongs.

    Args:
        text: The TARGET.
        call: What it names.
        loss: What it returned, once model and names are taken off.

    Raises:
        TargetError: An item says nothing; the message says which, and what it may be.
    """
    if isinstance(loss, Mapping) and "loss" in loss and loss.keys() <= set(Made._fields):
        items = [(f"{key!r}", loss[key]) for key in loss if key != "loss"]
    elif type(loss) in (list, tuple):
        items = [(f"item {index}", item) for index, item in enumerate(loss) if not _holds_tensors(item)]
    else:
        return
    for name, item in items:
        raise TargetError(
            f"{name} of what {text}() returned is {article(type(item).__name__)}, which stands for nothing there; have "
            f'it return losses alone, (loss, model) or (loss, model, {{"name": tensor}}){defined(call)}'
        )


def _holds_tensors(item: Any) -> bool:
    return item is None or (isinstance(item, list | tuple | dict) and not item) or bool(starts(item))


def _must_have_a_graph(text: str, call: Any, loss: Any) -> None:
    """Refuses a loss that has none, with the place of the function that returned it.

    Raises:
        TargetError: It has none.
    """
    try:
        roots(loss)
    except GraphError as error:
        why = str(error).removeprefix("outputs ")
        raise TargetError(f"what {text}() returned {why}{defined(call)}") from error


def _call_module(text: str, model: torch.nn.Module, made: Sequence[torch.Tensor]) -> Target:
    if not made:
        raise TargetError(
            f"{text} is a module; say what goes in, such as --input 1x3x224x224 or --input 2x16:int64"
        )
    outputs = _run(f"calling {text} on the --input", lambda: model(*made))
    losses = [
        output.sum() for output in tensors(outputs) if output.requires_grad and (output.is_floating_point())
    ]
    if not losses:
        raise TargetError(
            f"{text} gave no floating output that requires a gradient; let a callable return the loss"
        )
    loss = losses[0]
    for other in losses[1:]:
        loss = loss + other
    return Target(loss, model, {}, {f"input{index}": tensor for index, tensor in enumerate(made)})


def _make_input(text: str) -> torch.Tensor:
    """Random normal numbers, the same every time; zeros where the dtype counts or flags: any embedding has a row 0."""
    match = _INPUT.fullmatch(text)
    if match is None:
        raise TargetError(f"--input {text!r} is no shape; write 1x3x224x224, 2x16:int64 or scalar")
    dtype = getattr(torch, match["dtype"] or "float32", None)
    if not isinstance(dtype, torch.dtype):
        raise TargetError(
            f"--input {text!r}: torch has no dtype {match['dtype']!r}; float32 and int64 are two"
        )
    sizes = [] if match["sizes"] == "scalar" else [int(size) for size in match["sizes"].split("x")]
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(sizes, generator=torch.Generator().manual_seed(0)).to(dtype)
    return torch.zeros(sizes, dtype=dtype)
