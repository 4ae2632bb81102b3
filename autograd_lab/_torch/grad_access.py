"""Every tensor whose ``.grad`` a backward touches, put back to what it was.

Relies on ``torch._C.TensorBase.grad``: see Note [Who touches .grad]. Without it ``check_engine`` could only put back
the gradients of parameters that it knows.

Note [Who touches .grad]
A backward writes ``.grad`` of the leaves of its graph. But distributed training keeps the parameters that a user sees
apart from the leaves that a forward used, and moves gradients from one to the other in hooks, nodes and final
callbacks; other hooks write where they please. They all go by way of the attribute ``grad`` that ``torch.Tensor``
inherits. A descriptor on ``torch.Tensor`` itself notes each tensor at the first touch, with its gradient and a copy of
that, since it may be added to in place. Whoever asks the class for the attribute gets torch's own, as
``__torch_function__`` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch

from autograd_lab._torch import settings as _settings, tensors as _tensors
from autograd_lab.hold import Hold

_GRAD: Any = torch._C.TensorBase.grad


class _NotedGrad:
    """``Tensor.grad``, each touch of which is noted."""

    def __get__(self, tensor: torch.Tensor | None, owner: Any = None) -> Any:
        if tensor is None:
            return _GRAD
        _note(tensor)
        return _GRAD.__get__(tensor, owner)

    def __set__(self, tensor: torch.Tensor, grad: Any) -> None:
        _note(tensor)
        _GRAD.__set__(tensor, grad)

    def __delete__(self, tensor: torch.Tensor) -> None:
        _note(tensor)
        _GRAD.__delete__(tensor)


_NOTED_GRAD = _NotedGrad()
_lock = threading.RLock()
_keeping: list[_Keeper] = []


def _note(tensor: torch.Tensor) -> None:
    for each in tuple(_keeping):
        each.note(tensor)


def keep_grads(
    held: Hold, tensors: Iterable[torch.Tensor], same: Callable[[torch.Tensor, torch.Tensor | None], bool]
) -> None:
    """Has every ``.grad`` that is touched from now on, in whichever thread, be what it was in the end.

    Args:
        held: For how long.
        tensors: Those whose ``.grad`` C++ may write. Until then it's ``None``.
        same: Returns whether two gradients are the same.
    """
    keeper = _Keeper(same)
    held.add(keeper.put_back)
    held.add(keeper.stop)
    with _lock:
        _keeping.append(keeper)
        torch.Tensor.grad = _NOTED_GRAD  # type: ignore[assignment]
    for tensor in tensors:
        keeper.note(tensor)
        with torch._C.DisableTorchFunction():
            _GRAD.__set__(tensor, None)


class _Keeper:
    """What was in ``.grad``, of those who were touched."""

    def __init__(self, same: Callable[[torch.Tensor, torch.Tensor | None], bool]) -> None:
        self._same = same
        self._noted: dict[int, tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]] = {}

    def stop(self) -> None:
        """Notes no more."""
        with _lock:
            if self in _keeping:
                _keeping.remove(self)
            if not _keeping and vars(torch.Tensor).get("grad") is _NOTED_GRAD:
                del torch.Tensor.grad

    def note(self, tensor: torch.Tensor) -> None:
        """Remembers a tensor's gradient before it's touched for the first time."""
        with torch._C.DisableTorchFunction():
            if id(tensor) in self._noted or not (tensor.is_leaf or tensor.retains_grad):
                return
            grad = _GRAD.__get__(tensor)
            with _settings.grad_mode(False), _tensors.unseen():
                self._noted[id(tensor)] = tensor, grad, None if grad is None else grad.detach().clone()

    def put_back(self) -> None:
        """Puts all back."""
        with torch._C.DisableTorchFunction(), _settings.grad_mode(False):
            for tensor, grad, copy in self._noted.values():
                _GRAD.__set__(tensor, grad)
                if grad is not None and copy is not None and not self._same(grad, copy):
                    with _tensors.unseen():
                        grad.copy_(copy)
        self._noted.clear()
