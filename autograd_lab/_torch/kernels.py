"""Which ATen kernels run.

Relies on ``torch.utils._python_dispatch.TorchDispatchMode``: it sees every kernel of the threads that run under it.
Without it, only the profiler would tell, and only after the fact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class KernelWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells about each kernel before it runs, and runs it unchanged.

    Args:
        tell: Is called with the kernel's name: ``"aten::mul.Tensor"``.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        self._tell(func.name())
        return func(*args, **(kwargs or {}))
