"""Per-sample gradients for differential privacy."""

import torch
from opacus import GradSampleModule

PACKAGE, REQUIRES = "opacus", ["opacus==1.6.0"]


def step():
    model = GradSampleModule(
        torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    )
    return model(torch.randn(5, 3)).square().mean(), model
