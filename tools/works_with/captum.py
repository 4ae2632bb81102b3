"""Integrated gradients, as a loss of the model's parameters."""

import torch
from captum.attr import IntegratedGradients

PACKAGE, REQUIRES = "captum", ["captum==0.9.0"]


def step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softplus(), torch.nn.Linear(4, 2))
    x = torch.randn(2, 3, requires_grad=True)
    IntegratedGradients(model).attribute(x, target=0, n_steps=5)
    return model(x)[:, 0].sum(), model
