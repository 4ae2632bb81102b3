"""Which ATen kernels run, and who runs them.

Relies on

- ``torch.utils._python_dispatch.TorchDispatchMode``: it sees every kernel of the threads that run under it. Without
  it, only the profiler would tell, and only after the fact.
- ``TorchDispatchMode._should_skip_dynamo``: whether Dynamo is kept out of a mode's code. To keep it out torch imports
  it when the first kernel is seen, which takes seconds, and in the middle of what is timed. Where nothing was compiled
  it isn't there, and needn't be kept out: see ``watch_kernels``. Without this, the first such trace waits for it.
- ``TorchDispatchMode.supports_higher_order_operators``: see Note [Higher-order operators].
- ``TorchDispatchMode.ignore_compile_internals``: see Note [Compiled under a watch].
- The flags ``_is_in_…`` of ``torch.utils._python_dispatch``, and ``torch._C._len_torch_dispatch_stack``,
  ``_get_dispatch_stack_at``, ``_pop_torch_dispatch_stack`` and ``_push_on_torch_dispatch_stack``: what a mode's
  ``__enter__`` changes. Without them, a ``KeyboardInterrupt`` in the middle of ``__enter__`` or ``__exit__`` would
  leave the mode, or torch's belief that there's one.
- ``torch._C._profiler.gather_traceback`` and ``symbolize_tracebacks``: the C++ stack. Without them nobody can tell a
  sum of a node's own formula (``ExpandBackward0``) from the engine's hidden one that reduces what the node returned
  to the receiving slot's shape: same kernel, same thread, same current node.

Note [Who runs a kernel]
The C++ frames that lead to a kernel say it: read from the innermost outwards, the first that is one of these decides.
``InputBuffer`` adds up, ``validate_outputs`` reduces to shape and casts, a ``…Hook`` calls a user's hook, and
``Node::operator()`` is the node itself. Torch gathers C++ frames on Linux only; elsewhere nobody is named.

Note [Higher-order operators]
``cond``, ``scan``, ``map``, ``while_loop`` take functions, and each needs a rule for every mode, or else raises. A
class of modes can say that its ``__torch_dispatch__`` takes them too. Then they are told of like a kernel, as
``higher_order::cond``, and run as without the mode; the kernels of their branches aren't told of, since torch runs
these with no mode on the stack.

Note [Compiled under a watch]
Dynamo compiles nothing that is first called under a mode, and never tries again: a function compiled in a hook would
stay uncompiled after the block, and ``cond`` in a checkpoint, which must be compiled, would fail for the rest of the
process. A class of modes can say that compiling is none of its business (``ignore_compile_internals``): torch takes the
mode off while it compiles. The kernels that the compiled code runs are told of as before.

Note [Frames of other backwards]
A hook, or a node, may start a backward of its own. What runs in that one was run, as seen from this one, by the hook or
the node. Each backward has one frame of ``Engine::execute``, except in the threads of devices, so counting these from
the outermost inwards tells which frames are this one's (``depth``): only those are read.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_lab.hold import Hold

Stack = Any
"""What torch remembers of the C++ stack: addresses, not yet names."""

Frames: TypeAlias = Sequence[str]
"""The functions on a stack by name, the innermost first."""

TellKernel = Callable[[str, Stack], None]

_CAN_TELL = sys.platform == "linux"

_WHO = re.compile(
    r"(?P<input_buffer>torch::autograd::InputBuffer::)"
    r"|(?P<validate_outputs>validate_outputs)"
    r"|(?P<hook>_hooks\b|PyFunction\w*Hook\b|PyFunctionTensorPostAccGradHooks\b)"
    r"|(?P<node>torch::autograd::Node::operator\(\)|torch::autograd::PyNode::apply)"
    r"|(?P<engine>torch::autograd::Engine::)"
)

_STARTS = "torch::autograd::Engine::execute("


class KernelWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells about each kernel before it runs, and runs it unchanged; `watch_kernels` makes the right one.

    Args:
        tell: As for `watch_kernels`.
    """

    supports_higher_order_operators = True

    def __init__(self, tell: TellKernel) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Returns whether Dynamo compiles what is first called under the mode. See Note [Compiled under a watch]."""
        return True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        __tracebackhide__ = True
        del types
        self._tell(_name(func), gather())
        return func(*args, **(kwargs or {}))


class UncompiledKernelWatch(KernelWatch):  # type: ignore[no-untyped-call]
    """The same, whose own code Dynamo doesn't compile."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        __tracebackhide__ = True
        return super().__torch_dispatch__(func, types, args, kwargs)


def _name(func: Any) -> str:
    """See Note [Higher-order operators]."""
    name: str = func.name()
    return name if "::" in name else f"{func.namespace}::{name}"


def watch_kernels(held: Hold, tell: TellKernel) -> None:
    """Tells about each kernel before it runs, and runs it unchanged.

    Args:
        held: The block in which it does so.
        tell: Is called with the kernel's name, ``"aten::mul.Tensor"``, and the stack, which ``read`` reads.
    """
    mode = (UncompiledKernelWatch if "torch._dynamo" in sys.modules else KernelWatch)(tell)
    flags = {name: value for name, value in vars(_python_dispatch).items() if name.startswith("_is_in_")}
    held.add(functools.partial(_leave, mode, flags))
    mode.__enter__()  # type: ignore[no-untyped-call]


_SETTERS = {
    "_is_in_any_mode_without_ignore_compile_internals": "set_is_in_mode_without_ignore_compile_internals"
}
"""Flags of which torch has a copy in C++, and who tells it."""


def _leave(mode: KernelWatch, flags: Mapping[str, bool]) -> None:
    """Does what the mode's ``__exit__`` does, also after half of its ``__enter__`` or of itself."""
    vars(_python_dispatch).update(flags)
    for name, value in flags.items():
        tell_torch = getattr(_python_dispatch, _SETTERS.get(name, ""), None)
        if tell_torch is not None:
            tell_torch(value)
    stack = [torch._C._get_dispatch_stack_at(i) for i in range(torch._C._len_torch_dispatch_stack())]
    index = next((index for index, each in enumerate(stack) if each is mode), None)
    if index is not None:
        for _ in stack[index:]:
            torch._C._pop_torch_dispatch_stack(None)
        for other in stack[index + 1 :]:  # a hook of the user's left one
            torch._C._push_on_torch_dispatch_stack(other)


def gather() -> Stack:
    """Returns the stack as it is now; ``None`` on platforms where torch can't."""
    if not _CAN_TELL:
        return None
    return torch._C._profiler.gather_traceback(python=False, script=False, cpp=True)


def read(stacks: Sequence[Stack]) -> list[Frames]:
    """Looks up the names on stacks.

    Slow the first time, when torch starts ``addr2line``. Which program or code of its own looks names up, torch reads
    from ``TORCH_SYMBOLIZE_MODE`` then, and keeps to it for the whole process: that is the user's to choose.

    Args:
        stacks: As ``gather`` gave them, or ``None`` for none.

    Returns:
        Each one's frames, none for ``None``.
    """
    there = [stack for stack in stacks if stack is not None]
    found = iter(torch._C._profiler.symbolize_tracebacks(there) if there else ())
    return [() if stack is None else [frame["name"] for frame in next(found)] for stack in stacks]


def depth(frames: Frames) -> int:
    """Says how many backwards, one inside the other, a stack is in. See Note [Frames of other backwards]."""
    return sum(_STARTS in name for name in frames)


def who(frames: Frames, own: int) -> str | None:
    """Says who ran a kernel: see Note [Who runs a kernel].

    Args:
        frames: The stack on which it ran.
        own: How deep the backward is whose view is wanted.

    Returns:
        ``"node"``, ``"validate_outputs"``, ``"input_buffer"``, ``"hook"`` or ``"engine"``; ``None`` where nothing of
        the engine's is on the stack, or torch can't gather stacks on this platform.
    """
    inner = depth(frames) - own
    for name in frames:
        found = _WHO.search(name)
        if inner <= 0 and found is not None:
            return found.lastgroup
        inner -= _STARTS in name
    return None
