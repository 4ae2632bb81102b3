"""Which ATen kernels run, and who runs them.

Relies on

- ``torch.utils._python_dispatch.TorchDispatchMode``: it sees every kernel of the threads that run under it. Without
  it, only the profiler would tell, and only after the fact.
- ``TorchDispatchMode._should_skip_dynamo``: whether Dynamo is kept out of a mode's code. To keep it out torch imports
  it when the first kernel is seen, which takes seconds, and in the middle of what is timed. Where nothing was compiled
  it isn't there, and needn't be kept out: see ``watch_kernels``. Without this, the first such trace waits for it.
- ``torch._C._profiler.gather_traceback`` and ``symbolize_tracebacks``: the C++ stack. Without them nobody can tell a
  sum of a node's own formula (``ExpandBackward0``) from the engine's hidden one that reduces what the node returned
  to the receiving slot's shape: same kernel, same thread, same current node.

Note [Who runs a kernel]
The C++ frames that lead to a kernel say it: read from the innermost outwards, the first that is one of these decides.
``InputBuffer`` adds up, ``validate_outputs`` reduces to shape and casts, a ``…Hook`` calls a user's hook, and
``Node::operator()`` is the node itself. Torch gathers C++ frames on Linux only; elsewhere nobody is named.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

Stack = Any
"""What torch remembers of the C++ stack: addresses, not yet names."""

Tell = Callable[[str, Stack], None]

_CAN_TELL = sys.platform == "linux"

_WHO = re.compile(
    r"(?P<input_buffer>torch::autograd::InputBuffer::)"
    r"|(?P<validate_outputs>validate_outputs)"
    r"|(?P<hook>_hooks\b|PyFunction\w*Hook\b|PyFunctionTensorPostAccGradHooks\b)"
    r"|(?P<node>torch::autograd::Node::operator\(\)|torch::autograd::PyNode::apply)"
    r"|(?P<engine>torch::autograd::Engine::)"
)


class KernelWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells about each kernel before it runs, and runs it unchanged; `watch_kernels` makes the right one.

    Args:
        tell: As for `watch_kernels`.
    """

    def __init__(self, tell: Tell) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        self._tell(func.name(), _gather())
        return func(*args, **(kwargs or {}))


class UncompiledKernelWatch(KernelWatch):  # type: ignore[no-untyped-call]
    """The same, whose own code Dynamo doesn't compile."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return super().__torch_dispatch__(func, types, args, kwargs)


def watch_kernels(tell: Tell) -> KernelWatch:
    """Makes a context that tells about each kernel before it runs, and runs it unchanged.

    Args:
        tell: Is called with the kernel's name, ``"aten::mul.Tensor"``, and the stack, which ``who`` reads.

    Returns:
        The context.
    """
    return (UncompiledKernelWatch if "torch._dynamo" in sys.modules else KernelWatch)(tell)


def who(stacks: Iterable[Stack]) -> list[str | None]:
    """Reads stacks: see Note [Who runs a kernel]. Slow at first, when torch looks up the names of its functions.

    Args:
        stacks: As ``KernelWatch`` told them.

    Returns:
        For each, ``"node"``, ``"validate_outputs"``, ``"input_buffer"``, ``"hook"`` or ``"engine"``; ``None`` where
        nothing of the engine's is on the stack, or torch can't gather stacks on this platform.
    """
    stacks = list(stacks)
    if not _CAN_TELL or not stacks:
        return [None] * len(stacks)
    return [_first(frames) for frames in torch._C._profiler.symbolize_tracebacks(stacks)]


def _gather() -> Stack:
    if not _CAN_TELL:
        return None
    return torch._C._profiler.gather_traceback(python=False, script=False, cpp=True)


def _first(frames: Iterable[Mapping[str, Any]]) -> str | None:
    for frame in frames:
        found = _WHO.search(frame["name"])
        if found is not None:
            return found.lastgroup
    return None
