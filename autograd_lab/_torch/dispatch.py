"""Another kernel at the autograd key of an ATen operation, and PyTorch's own beside it.

Relies on, of torch:

- ``torch.library.Library.impl`` at ``AutogradCPU`` and at the accelerator's key (public), and ``Library._destroy``,
  which puts PyTorch's kernel back. Without it a registration stays until the object is collected, which is too late for
  a ``with`` block.
- ``torch._C._ExcludeDispatchKeyGuard`` and ``torch._C._IncludeDispatchKeyGuard``: the way to PyTorch's own autograd
  kernel while another is registered. See Note [PyTorch's own kernel is at another key, too]. The public
  ``torch.library.get_kernel`` doesn't serve: its ``call_boxed`` refuses the Python number that ``x * 2`` hands to
  ``mul.Tensor``.
- ``torch._C._dispatch_has_kernel_for_dispatch_key`` and ``OpOverload._op_dk``: whether an operation is a composite, and
  its kernel. Without them the operations inside a composite that isn't swapped would stay PyTorch's.
- ``torch._C._are_functorch_transforms_active``: whether an operation runs inside ``torch.func.grad``, ``jvp`` or their
  kin. Without it a Function in there would either raise or, nested, lose a derivative.
- ``torch.autograd.forward_ad._current_level``: whether forward-mode tangents can be about. Without it each call would
  have to ask each tensor, which raises where none can be.

Note [PyTorch's own kernel is at another key, too]
PyTorch registers its autograd kernels once for all autograd keys. Ours stands at ``AutogradCPU`` and, where there is an
accelerator, at its key (``AutogradCUDA``, say). With these keys excluded and ``AutogradOther`` (which has no backend of
its own) included, the same call reaches PyTorch's kernel, makes PyTorch's node, and goes on below autograd as ever.
What such a call does in turn, forward-mode formulas included, is PyTorch's alone.

A composite (``linear``, ``dropout``) has no autograd kernel: its one kernel calls other operations, which have. That
one is called as it is, without the two guards, so that the operations inside are swapped if their rules are on.

Note [A call under way]
A call in another thread may have found our kernel in the table and be waiting for Python's lock to run it, while this
thread takes the kernel out. Torch would then call a kernel that is freed. So while there are other threads, what is
taken out is kept alive: a few hundred bytes each time.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.library import Library, get_kernel

_UNDER_WAY: list[Any] = []
_THEIRS = torch._C.DispatchKey.AutogradOther


@functools.cache
def keys() -> tuple[str, ...]:
    """Gives the autograd keys of the devices that there are: the CPU's and the accelerator's."""
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None:
        return ("AutogradCPU",)
    own = f"Autograd{accelerator.type.upper()}"
    return "AutogradCPU", own if own in torch._C.DispatchKey.__members__ else "AutogradPrivateUse1"


@functools.cache
def _ours() -> Any:
    found = torch._C.DispatchKeySet(torch._C.DispatchKey.AutogradCPU)
    for key in keys():
        found = found.add(torch._C.DispatchKey.__members__[key])
    return found


def operation(name: str) -> Any:
    """Gives an ATen operation by its overload's name: ``"mul.Tensor"``, or ``"neg"`` for the nameless overload."""
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


class Registration:
    """A kernel in the place of PyTorch's autograd kernel, in the whole process, until `remove`.

    Args:
        name: The operation's overload name.
        kernel: Is called with the operation's arguments; a number that stands for a tensor comes as a number.
    """

    def __init__(self, name: str, kernel: Callable[..., Any]) -> None:
        self._library = Library("aten", "IMPL")  # type: ignore[no-untyped-call]
        with (
            warnings.catch_warnings()
        ):  # torch warns that an operator is overridden: that is what's asked for
            warnings.filterwarnings("ignore", message="(?s).*Overriding a previously registered kernel.*")
            for key in keys():
                self._library.impl(name, kernel, key)  # type: ignore[no-untyped-call]
        self._name = name

    def remove(self) -> None:
        """Puts PyTorch's kernel back. See Note [A call under way]."""
        if threading.active_count() > 1:
            _UNDER_WAY.extend(get_kernel(f"aten::{self._name}", key) for key in keys())
        self._library._destroy()  # type: ignore[no-untyped-call]


def native(op: Any) -> Callable[..., Any]:
    """Gives what calls an operation with PyTorch's own autograd.

    See Note [PyTorch's own kernel is at another key, too].

    Args:
        op: The operation.

    Returns:
        A callable of the operation's arguments that gives what PyTorch returns, with PyTorch's node.
    """
    if torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), "CompositeImplicitAutograd"):
        return functools.partial(op._op_dk, torch._C.DispatchKey.CompositeImplicitAutograd)

    guards: Any = torch._C
    ours = _ours()

    def call(*args: Any, **kwargs: Any) -> Any:
        with guards._ExcludeDispatchKeyGuard(ours), guards._IncludeDispatchKeyGuard(_THEIRS):
            return op(*args, **kwargs)

    return call


def transformed() -> bool:
    """Says whether the operation that runs is inside a level of ``torch.func.grad``, ``vjp``, ``jvp`` and their kin."""
    return torch._C._are_functorch_transforms_active()


def in_forward_mode() -> bool:
    """Says whether this code runs inside ``torch.autograd.forward_ad.dual_level``."""
    return torch.autograd.forward_ad._current_level >= 0


def number_in_a_transform(error: RuntimeError) -> bool:
    """Says whether an error is torch's, unable to hand to Python a number that ``torch.func.grad`` has wrapped."""
    return "Cannot access data pointer of Tensor that doesn't have storage" in str(error)
