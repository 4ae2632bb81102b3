"""A model and its backward through an accelerator."""

import torch
from accelerate import Accelerator

PACKAGE, REQUIRES = "accelerate", ["accelerate==1.15.0"]


def step():
    accelerator = Accelerator(cpu=True)
    model = accelerator.prepare(
        torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    )
    return model(torch.randn(5, 3)).square().mean() / accelerator.gradient_accumulation_steps, model
