"""A structural similarity as a loss."""

import torch
from torchmetrics.functional.image import structural_similarity_index_measure as similarity

PACKAGE, REQUIRES = "torchmetrics", ["torchmetrics==1.9.0"]


def step():
    model = torch.nn.Conv2d(1, 1, 3, padding=1)
    x = torch.rand(1, 1, 16, 16)
    return 1 - similarity(model(x), x, data_range=1.0), model
