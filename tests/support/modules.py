"""Which module made each node, told in another way than the watcher does: the tests' oracle for it.

Global hooks note torch's counter when each module's forward begins and ends; a node made in between has a
``sequence_nr`` from that range, and belongs to the innermost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

import autograd_lab as lab
from autograd_lab.records import Graph


def in_modules(model: torch.nn.Module, loss_of: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Graph]:
    """Runs a forward, and gives the loss and its graph with every node's module."""
    names = {module: name for name, module in model.named_modules()}
    calls: Counter[tuple[str, ...]] = Counter()
    open_calls: list[tuple[torch.nn.Module, tuple[str, ...], int]] = []
    ranges: list[tuple[int, int, tuple[str, ...]]] = []  # inner ones first

    def begins(module, inputs):
        if module not in names:
            return  # a loss that the model makes on the way
        path = tuple(names[module].split(".")) if names[module] else ()
        for outer, outer_path, _ in reversed(open_calls):
            if names[outer] == "" or names[module].startswith(f"{names[outer]}."):
                path = outer_path + path[len(outer_path) :]
                break
        calls[path] += 1
        number = calls[path]
        if number > 1 and path:
            path = (*path[:-1], f"{path[-1]}#{number}")
        open_calls.append((module, path, torch._C._autograd._get_sequence_nr()))

    def ends(module, inputs, output):
        if module not in names:
            return
        _, path, start = open_calls.pop()
        ranges.append((start, torch._C._autograd._get_sequence_nr(), path))

    handles = [register_module_forward_pre_hook(begins), register_module_forward_hook(ends)]
    try:
        loss = loss_of()
    finally:
        for handle in handles:
            handle.remove()
    graph = lab.capture(loss, model=model)

    def made_in(number: int) -> str | None:
        found = next((path for start, end, path in ranges if start <= number < end), None)
        return None if found is None else ".".join(found)

    nodes = [
        node if node.kind == "accumulate" else node._replace(module=made_in(node.sequence_nr))
        for node in graph.nodes
    ]
    return loss, Graph(tuple(nodes), graph.roots)
