"""Integrate-and-fire neurons with a surrogate gradient."""

import torch
from spikingjelly.activation_based import functional, neuron

PACKAGE, REQUIRES = "spikingjelly", ["spikingjelly==2.0.0"]


def step():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), neuron.IFNode(), torch.nn.Linear(4, 2), neuron.LIFNode())
    functional.reset_net(net)
    x = torch.rand(5, 3)
    return sum(net(x * 3) for _ in range(4)).square().mean(), net
