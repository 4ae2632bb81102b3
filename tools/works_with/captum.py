"""A step, then DeepLift: an attribution by hooks on modules."""

import torch
from captum.attr import DeepLift

PACKAGE, REQUIRES = "captum", ["captum==0.9.0"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.x = torch.nn.Parameter(torch.randn(2, 3))
        self.net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softplus(), torch.nn.Linear(4, 2))


def step():
    model = Net()
    return model.net(model.x)[:, 0].sum(), model


def train(loss, model):
    loss.backward()
    model.x.grad = DeepLift(model.net).attribute(model.x.detach().requires_grad_(), target=0).detach()
