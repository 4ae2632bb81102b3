"""Several losses, their Jacobian aggregated into one gradient."""

import torch
from torchjd.aggregation import UPGrad
from torchjd.autojac import backward

PACKAGE, REQUIRES = "torchjd", ["torchjd==0.18.0"]


def step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    out = model(torch.randn(5, 3))
    return out.square().mean(0), model


def train(losses):
    backward(losses, aggregator=UPGrad())
