"""Has ``Tensor.retain_grad`` write nothing.

Relies on ``torch._C``'s stack of dispatch modes (``_push_on_torch_dispatch_stack`` and its like, as
``torch.utils._python_dispatch`` uses them) and on what ``retain_grad`` calls: see Note [Retained gradients]. Without
them a replay would write ``.grad`` of tensors that retain it.

Note [Retained gradients]
``Tensor.retain_grad`` is a hook in C++ on the tensor's node, which torch calls after the tensor's other hooks. Neither
can it be listed, nor can the tensor be had from the node. It sets ``.grad`` to ``grad.clone()`` or ``.grad + grad``
(``retain_grad`` in ``torch/csrc/autograd/variable.cpp``). A dispatch mode sees these two calls, which no Python
function makes, and answers with what ``.grad`` was: nothing, or the old one. All other operations, those of the user's
hooks, pass through it. Under ``create_graph`` torch makes the old ``.grad`` a result of the addition: where it was a
leaf, that is taken back; where it had a graph itself, the addition is left as it is.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_lab.hold import Hold

_CLONE, _ADD = torch.ops.aten.clone.default, torch.ops.aten.add.Tensor


class NothingRetained(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The mode. See Note [Retained gradients].

    Args:
        create_graph: Whether hooks run with gradients enabled.
    """

    supports_higher_order_operators = True

    def __init__(self, *, create_graph: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._create_graph = create_graph
        self._caller: FrameType | None = None
        self._depth = 0
        self._recorded: list[torch.Tensor] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler at the first call."""
        return False

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """What a hook has compiled stays compiled."""
        return True

    def put_on(self, held: Hold) -> None:
        """Begins. The caller's frame is the one that starts the native engine."""
        self._caller = sys._getframe(1)
        self._depth = torch._C._len_torch_dispatch_stack()
        held.add(self._take_off)
        torch._C._push_on_torch_dispatch_stack(self)

    def put_aside(self, held: Hold) -> None:
        """Leaves user code without it."""
        if self._is_on():
            held.add(self._put_back)
            torch._C._pop_torch_dispatch_stack(None)

    def _put_back(self) -> None:
        if not self._is_on():
            torch._C._push_on_torch_dispatch_stack(self)

    def _take_off(self) -> None:
        self._caller = None  # a frame holds what was in it
        while torch._C._len_torch_dispatch_stack() > self._depth and self._is_on():
            torch._C._pop_torch_dispatch_stack(None)
        while self._recorded:
            self._recorded[-1].detach_()
            self._recorded.pop()

    def _is_on(self) -> bool:
        depth = torch._C._len_torch_dispatch_stack()
        return depth > 0 and torch._C._get_dispatch_stack_at(depth - 1) is self

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Answers ``retain_grad``, and passes everything else through."""
        if func is _CLONE or func is _ADD:
            caller = sys._getframe().f_back
            if caller is None or caller is self._caller:  # none at all: a device's thread
                if func is _CLONE:
                    return None
                if not self._records(args):
                    return args[0]
        return func(*args, **(kwargs or {}))

    def _records(self, args: tuple[Any, ...]) -> bool:
        """Returns whether the old gradient would lose its graph."""
        old = args[0]
        if old.requires_grad:
            return self._create_graph
        if self._create_graph:
            self._recorded.append(old)
        return False
