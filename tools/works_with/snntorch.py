"""Spiking neurons with a surrogate gradient, over ten time steps."""

import snntorch
import torch

PACKAGE, REQUIRES = "snntorch", ["snntorch==1.0.0"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 4)
        self.neuron = snntorch.Leaky(beta=0.9)

    def forward(self, x):
        potential = self.neuron.init_leaky()
        spikes = 0.0
        for _ in range(10):
            spike, potential = self.neuron(self.linear(x), potential)
            spikes = spikes + spike
        return spikes


def step():
    net = Net()
    return net(torch.rand(5, 3)).square().mean(), net
