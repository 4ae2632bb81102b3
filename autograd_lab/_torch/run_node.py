"""Running one node, apart from any backward.

Relies on nothing private: a C++ node can be called, though no page says so (``THPCppFunction_call`` in
``torch/csrc/autograd/python_cpp_function.cpp``); a Python Function's node has ``apply``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch.autograd.graph import Node

Grads: TypeAlias = tuple[torch.Tensor | None, ...]
"""What a node gets or returns: a gradient for each slot or edge, ``None`` where there is none."""


def run_node(node: Node, grad_outputs: Sequence[torch.Tensor | None]) -> Grads:
    """Runs a node's backward: no hooks, nothing freed, and gradients go nowhere.

    Args:
        node: Any node but an ``AccumulateGrad``, which would add to ``.grad``.
        grad_outputs: One for each of its input slots.

    Returns:
        One gradient for each of its edges, as the node returned them.

    Raises:
        RuntimeError: A backward has freed what it needs.
    """
    call: Any = getattr(node, "apply", node)
    result = call(*grad_outputs)
    return result if isinstance(result, tuple) else (result,)
