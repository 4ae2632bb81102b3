"""Layer-wise relevance propagation: rules in the place of gradients."""

import torch
from zennit.composites import EpsilonPlus

PACKAGE, REQUIRES = "zennit", ["zennit==0.5.1"]


def step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    x = torch.randn(2, 3, requires_grad=True)
    composite = EpsilonPlus()
    composite.register(model)
    loss = model(x)[:, 0].sum()
    return loss, model
