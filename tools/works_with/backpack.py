"""The variance of a gradient over the batch."""

import torch
from backpack import backpack, extend, extensions

PACKAGE, REQUIRES = "backpack-for-pytorch", ["backpack-for-pytorch==1.7.1"]
NOTE = (
    "Its hooks delete what they kept from the forward, so this graph runs only once in PyTorch too, "
    "even with `retain_graph=True`. `check_engine` says so."
)


def step():
    model = extend(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 2)))
    loss = extend(torch.nn.CrossEntropyLoss())
    return loss(model(torch.randn(5, 3)), torch.tensor([0, 1, 0, 1, 1])), model


def around():
    return backpack(extensions.Variance())


def train(loss, model):
    loss.backward()
    for parameter in model.parameters():
        parameter.grad.add_(parameter.variance)
