"""Modules on dictionaries of tensors, and a loss over a whole dictionary."""

import torch
from tensordict import TensorDict
from tensordict.nn import TensorDictModule, TensorDictSequential

PACKAGE, REQUIRES = "tensordict", ["tensordict==0.15.3"]


def step():
    model = TensorDictSequential(
        TensorDictModule(torch.nn.Linear(3, 4), in_keys=["x"], out_keys=["hidden"]),
        TensorDictModule(torch.nn.Linear(4, 2), in_keys=["hidden"], out_keys=["y"]),
    )
    out = model(TensorDict({"x": torch.randn(5, 3)}, batch_size=[5]))
    return (out * 2.0)["y"].square().mean(), model
