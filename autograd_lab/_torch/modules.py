"""Modules that stand for others, and parameters that stand for others.

Relies on

- ``torch.distributed.fsdp.FSDPModule``, its ``_get_fsdp_state()._fsdp_param_group.fsdp_params``, and of each of these
  ``_unsharded_param`` and ``_module_info``: ``fully_shard`` runs the forward on gathered parameters, which are other
  tensors than those that ``named_parameters()`` gives after it. Without these the leaves of such a model have no names.
- The attribute ``_orig_mod`` of compiled modules, which ``compiled_from`` tells apart: without it every name in such a
  model begins with it. And ``Module._modules``: a compiled module answers for the attributes of the one inside, and
  models that a user keeps in a dictionary may have keys there that ``add_module`` refuses.
- ``torch.nn.utils.stateless._functional_call``, which ``torch.func.functional_call`` runs the module in: while it does,
  the module's parameters are the caller's tensors. Without it such leaves have no names.
- ``torch.utils.weak.TensorWeakRef``: a plain weak reference may outlive a tensor's Python object that comes back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import torch
from torch.nn.utils import stateless
from torch.utils.weak import TensorWeakRef

from autograd_lab._torch.forward import compiled_from

Module = torch.nn.Module

_FUNCTIONAL_CALL = getattr(getattr(stateless, "_functional_call", None), "__code__", None)
_DEEPEST = 6
"""How many frames lie at most between ``functional_call`` and a hook that runs before the module's forward."""


def together(models: Mapping[str, Module]) -> Module:
    """Returns a module that holds others under any names."""
    made = Module()
    made._modules.update(models)
    return made


def unwrapped(name: str, model: Module) -> str:
    """Returns the name of a model's module or parameter without the part that ``torch.compile`` adds."""
    if "_orig_mod" not in name:
        return name
    kept: list[str] = []
    module: Module | None = model
    for part in name.split("."):
        if part != "_orig_mod" or module is None or compiled_from(module) is None:
            kept.append(part)
        module = None if module is None else module._modules.get(part)
    return ".".join(kept)


def unsharded(module: Module) -> Iterator[tuple[Module, str, torch.Tensor]]:
    """Returns the gathered parameters of a module that ``fully_shard`` was called on; none for any other.

    Args:
        module: Any module.

    Yields:
        A module, the name of a parameter in it, and the tensor that the forward last ran on.
    """
    fsdp = sys.modules.get("torch.distributed.fsdp")  # importing it takes long; a sharded module has done so
    if fsdp is None or not isinstance(module, getattr(fsdp, "FSDPModule", ())):
        return
    sharded: Any = module
    group = sharded._get_fsdp_state()._fsdp_param_group
    for param in group.fsdp_params if group is not None else ():
        tensor = getattr(param, "_unsharded_param", None)  # not there before the first forward
        if tensor is not None:
            where = param._module_info
            yield where.module, where.param_name, tensor
            for other, name in zip(where.shared_modules, where.shared_param_names, strict=True):
                yield other, name, tensor


def is_called_functionally() -> bool:
    """Returns whether the module whose call begins was called by ``torch.func.functional_call``."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEEPEST):
        if frame is None:
            return False
        if frame.f_code is _FUNCTIONAL_CALL:
            return True
        frame = frame.f_back
    return False


def weak(tensor: torch.Tensor) -> Callable[[], torch.Tensor | None]:
    """Returns a function that gives the tensor, or ``None`` when it's gone."""
    return TensorWeakRef(tensor)
