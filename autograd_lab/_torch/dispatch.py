"""Another kernel at the autograd key of an ATen operation, and PyTorch's own beside it.

Relies on, of torch:

- ``torch._C._dispatch_library``, what ``torch.library.Library`` registers with, and its ``reset``, which puts
  PyTorch's kernel back. ``Library`` itself looks for source lines each time, and when it goes, it strikes what others
  registered, too, from torch's list of names.
- ``OpOverload._dispatch_cache``: see Note [What torch remembers of a kernel]. Without it, whatever is compiled after a
  swap loses its gradients in silence.
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
thread takes the kernel out. Torch would then call a kernel that is freed. A thread that waits for the lock gets it
within milliseconds. So while there are other threads, what is taken out is kept alive for some seconds: until the clock
has been looked at, in `Registration.undo`, at four moments a second apart. That way a call that holds the lock for
long passes for one of these moments, however long it takes.

Note [What torch remembers of a kernel]
The first time that an operation is called where torch traces, in Python, at a dispatch key, its ``OpOverload`` finds
out which kernel that key leads to, and keeps the answer. A kernel that comes or goes doesn't change the answer. After a
swap it would lead to a kernel that isn't there, and then torch goes on below autograd: without a node, without an
error. Made before a swap, it would lead past ours. So the answers go whenever a registration comes or goes.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch.library import get_kernel

from autograd_lab._torch.readable import ORDINARY, is_on_own_device

_THEIRS = torch._C.DispatchKey.AutogradOther


@functools.cache
def keys() -> tuple[str, ...]:
    """Returns the autograd keys of the devices that there are: the CPU's and the accelerator's."""
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
    """Returns an ATen operation by its overload's name: ``"mul.Tensor"``, or ``"neg"`` for the nameless overload."""
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


class Registration:
    """A kernel in the place of PyTorch's autograd kernel, in the whole process; a `Change`.

    Args:
        name: The operation's overload name.
        kernel: Is called with the operation's arguments; a number that stands for a tensor comes as a number.
    """

    def __init__(self, name: str, kernel: Callable[..., Any]) -> None:
        self._name = name
        self._op = operation(name)
        self._kernel = kernel
        self._library: Any = None
        self._made = False

    def make(self) -> None:
        """Registers the kernel, unless it is registered already."""
        if self._made:
            return
        self.undo()  # an interrupt may have left half of it
        self._library = torch._C._dispatch_library("IMPL", "aten", "", __file__, 0)
        for key in keys():
            self._library.impl(self._name, key, self._kernel)
        self._forget()
        self._made = True

    def undo(self) -> None:
        """Puts PyTorch's kernel back. See Note [A call under way]."""
        self._made = False
        if self._library is None:
            return
        if threading.active_count() > 1:
            _UNDER_WAY.keep([get_kernel(f"aten::{self._name}", key) for key in keys()])
        self._library.reset()
        self._forget()
        self._library = None

    def _forget(self) -> None:
        """See Note [What torch remembers of a kernel]."""
        self._op._dispatch_cache.clear()


class _Kept:
    """Objects that are kept for a while. See Note [A call under way]."""

    GENERATIONS = 4
    SECONDS = 1.0

    def __init__(self) -> None:
        self._generations: deque[list[Any]] = deque([[]], self.GENERATIONS)
        self._begun = time.monotonic()

    def keep(self, things: list[Any]) -> None:
        """Keeps objects, and lets go of what has been kept for long enough."""
        now = time.monotonic()
        if now - self._begun > self.SECONDS:
            self._begun = now
            self._generations.append([])
        self._generations[-1].extend(things)

    def __len__(self) -> int:
        return sum(map(len, self._generations))


_UNDER_WAY = _Kept()


def native(op: Any) -> Callable[..., Any]:
    """Returns what calls an operation with PyTorch's own autograd.

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


def plain(args: tuple[Any, ...]) -> bool:
    """Returns whether the tensors among an operation's arguments are such that PyTorch's ordinary operations take them.

    Sparse, MKLDNN, nested and quantized tensors know some operations only. A tensor of a class of its own runs its own
    code for each, which is asked already where the operation is called.
    """
    return all(
        (type(value) in ORDINARY or is_on_own_device(value))
        and value.layout is torch.strided
        and not value.is_nested
        and not value.is_quantized
        for value in args
        if isinstance(value, torch.Tensor)
    )


def transformed() -> bool:
    """Returns whether a transform is at work: ``torch.func.grad``, ``vjp``, ``jvp`` and so on."""
    return torch._C._are_functorch_transforms_active()


def in_forward_mode() -> bool:
    """Returns whether this code runs inside ``torch.autograd.forward_ad.dual_level``."""
    return torch.autograd.forward_ad._current_level >= 0


def number_in_a_transform(error: BaseException) -> bool:
    """Returns whether an error is torch's, unable to hand to Python a number that ``torch.func.grad`` has wrapped.

    Of an exception of another class nothing is asked: see Note [Exceptions of any class] in ``exceptions.py``.
    """
    if type(error) is not RuntimeError:
        return False
    return "Cannot access data pointer of Tensor that doesn't have storage" in str(error)
