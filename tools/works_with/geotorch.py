"""An orthogonal weight, by parametrization."""

import geotorch
import torch

PACKAGE, REQUIRES = "geotorch", ["geotorch==0.4.0"]


def step():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    geotorch.orthogonal(model[0], "weight")
    return model(torch.randn(5, 4)).square().mean(), model
