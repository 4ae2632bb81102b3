"""Convolutions, poolings and norms together: a network for images trained with the rules in PyTorch's place."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

import autograd_lab as lab

RULES = (
    "convolution", "max_pool", "avg_pool", "adaptive_avg_pool", "batch_norm", "group_norm", "layer_norm", "rms_norm",
)  # fmt: skip


def network():
    layers = (
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 8, 3, stride=2, groups=2, bias=False), nn.GroupNorm(2, 8), nn.AvgPool2d(2, 1),
        nn.ConvTranspose2d(8, 4, 2, stride=2), nn.InstanceNorm2d(4), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(),
        nn.LayerNorm(24), nn.RMSNorm(24), nn.Linear(24, 5),
    )  # fmt: skip
    return nn.Sequential(*layers).double()


def step(model, optimizer, x, target):
    loss = functional.cross_entropy(model(x), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def test_twenty_steps_give_the_same_losses_parameters_and_statistics():
    native = network()
    ours = copy.deepcopy(native)
    x, target = torch.randn(8, 3, 12, 12, dtype=torch.float64), torch.arange(8) % 5
    optimizers = [torch.optim.SGD(model.parameters(), 0.02, momentum=0.5) for model in (ours, native)]
    found, wanted = [], []
    for _ in range(20):
        with lab.swap(*RULES) as swap:
            found.append(step(ours, optimizers[0], x, target))
        wanted.append(step(native, optimizers[1], x, target))
        assert sum(swap.calls.values()) == 11
        assert not swap.left
    assert wanted[-1] < wanted[0]
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=0)
    torch.testing.assert_close(ours.state_dict(), native.state_dict(), rtol=1e-8, atol=1e-10)


def test_no_layer_is_left_native():
    model = network()
    with lab.swap(*RULES):
        graph = lab.capture(model(torch.randn(8, 3, 12, 12, dtype=torch.float64)))
    rules = {node.rule for node in graph.nodes} - {None}
    assert rules == set(RULES)
    natives = {node.name for node in graph.nodes if node.kind == "op"}
    assert natives == {"ReluBackward0", "ViewBackward0", "AddmmBackward0", "TBackward0"}
