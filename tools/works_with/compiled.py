"""torch's own compiler, with its eager backend."""

import torch

PACKAGE, REQUIRES = "torch", []


def step():
    torch._dynamo.reset()
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU(), torch.nn.Linear(4, 1))
    model = torch.compile(net, backend="aot_eager")
    return model(torch.randn(5, 3)).square().mean(), model
