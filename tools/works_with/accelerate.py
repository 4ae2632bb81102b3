"""A backward through an accelerator that accumulates gradients, and clipping."""

import torch
from accelerate import Accelerator

PACKAGE, REQUIRES = "accelerate", ["accelerate==1.15.0"]

accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)


def step():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    model = accelerator.prepare(net)
    return model(torch.randn(5, 3)).square().mean(), model


def train(loss, model):
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), 0.1)
