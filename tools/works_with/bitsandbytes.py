"""A layer whose weight is kept in four bits, between two ordinary ones."""

import bitsandbytes
import torch

PACKAGE, REQUIRES = "bitsandbytes", ["bitsandbytes==0.50.2"]


def step():
    four = bitsandbytes.nn.Linear4bit(64, 64, compute_dtype=torch.float32, quant_type="nf4").to("cpu")
    net = torch.nn.Sequential(torch.nn.Linear(3, 64), four, torch.nn.ReLU(), torch.nn.Linear(64, 1))
    return net(torch.randn(5, 3)).square().mean(), net
