"""Which ATen kernels run, and for which node.

Relies on:

- ``torch.utils._python_dispatch.TorchDispatchMode``: sees every kernel of the threads that run under it. The
  profiler sees them too, but without saying for which of two nodes of one name.
- ``torch._C._current_autograd_node()``: the node that is being run on this thread; ``None`` while the engine itself
  is at work between nodes, reducing a gradient to shape or adding it into an input buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.autograd.graph import Node
from torch.utils._python_dispatch import TorchDispatchMode


class KernelWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells about each kernel before it runs, and runs it unchanged.

    Args:
        tell: Is called with the kernel's name (``"aten::mul.Tensor"``) and the node that runs it, or ``None``.
    """

    def __init__(self, tell: Callable[[str, Node | None], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        self._tell(func.name(), torch._C._current_autograd_node())
        return func(*args, **(kwargs or {}))
