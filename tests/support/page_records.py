"""Records for tests of the page, each made once for a test process."""

from __future__ import annotations

import functools

import models
import torch
from torch import nn

import autograd_lab as lab
from autograd_lab.records import Graph, Node, Trace

HOSTILE = "</script><script>globalThis.hacked=1</script><img src=x onerror=hacked=1>&quot;'\"\u202e\u2028"
"""A name that ends an element, opens others, and turns the direction of a line."""


class Block(nn.Module):
    """A small layer: blocks of it are alike."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Adds what the layer makes of it."""
        return x + torch.tanh(self.linear(self.norm(x)))


class Net(nn.Module):
    """An embedding, three blocks that are alike, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.head = nn.Linear(4, 2)
        self.unused = nn.Linear(4, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Looks up, goes through the blocks and ends in the head."""
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


@functools.cache
def net() -> Trace:
    """A backward of ``Net`` with everything that can be recorded."""
    torch.manual_seed(0)
    model = Net()
    model.head.weight.register_hook(lambda grad: grad * 2)
    with lab.watch(model, stats="full", kernels=True) as watcher:
        ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
        nn.functional.cross_entropy(model(ids).flatten(0, 1), torch.tensor([0, 1, 1, 0, 1, 0])).backward()
    return watcher.traces[0]


@functools.cache
def troubled() -> Trace:
    """A backward in which gradients are infinite, NaN, zero, and one leaf's is none."""
    small, lost, dead = (torch.ones(2, requires_grad=True) for _ in range(3))

    loss = ((small - 1).sqrt() * 1).sum() + models.Drops.apply(lost).sum() + (dead * 0).sum()
    return lab.trace(loss, names={"small": small, "lost": lost, "dead": dead})


@functools.cache
def hostile() -> Graph:
    """A graph whose every name is an attack."""
    import dataclasses

    graph = net().graph
    nodes = tuple(attacked(node) for node in graph.nodes)
    return dataclasses.replace(graph, nodes=nodes, unreached=(HOSTILE,))


def attacked(node: Node) -> Node:
    """The node with other names."""
    module = None if node.module is None else f"{HOSTILE}.{node.module}"
    variable = None if node.variable is None else HOSTILE + node.variable
    source = None if node.source is None else node.source._replace(file=HOSTILE, function=HOSTILE)
    return node._replace(
        name=HOSTILE + node.name, variable=variable, aliases=(HOSTILE,), module=module, source=source
    )
