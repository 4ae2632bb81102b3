"""`torch.compile`, with the backend `aot_eager`."""

import torch

PACKAGE, REQUIRES = "torch", []
TITLE = "torch, compiled"
NOTE = "Compiled code isn't swapped: its backward was made when it was compiled. `swap` counts it."


def step():
    torch._dynamo.reset()
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU(), torch.nn.Linear(4, 1))
    model = torch.compile(net, backend="aot_eager")
    return model(torch.randn(5, 3)).square().mean(), model
