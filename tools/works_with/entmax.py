"""Sparse attention: sparsemax and entmax."""

import torch
from entmax import entmax15, entmax_bisect, sparsemax

PACKAGE, REQUIRES = "entmax", ["entmax==1.3"]


def step():
    model = torch.nn.Linear(3, 6)
    x = model(torch.randn(5, 3))
    total = sparsemax(x, dim=-1) + entmax15(x, dim=-1) + entmax_bisect(x, 1.7, dim=-1)
    return total.square().mean(), model
