"""A gradient through a step of an inner optimiser."""

import torch
import torchopt

PACKAGE, REQUIRES = "torchopt", ["torchopt==0.7.3"]


def step():
    model = torch.nn.Linear(3, 1)
    start = torch.nn.Parameter(torch.ones(3))
    outer = torch.nn.ParameterDict({"start": start})
    optimizer = torchopt.MetaSGD(model, lr=0.1)
    x = torch.randn(5, 3)
    optimizer.step(model(x * start).square().mean())
    return model(x).square().mean(), outer
