"""Several losses, their Jacobian aggregated into one gradient."""

import torch
from torchjd.aggregation import UPGrad
from torchjd.autojac import backward, jac_to_grad

PACKAGE, REQUIRES = "torchjd", ["torchjd[quadprog-projector]==0.18.0"]
NOTE = (
    "It runs one backward for all losses at once, inside `torch.vmap`, where gradients have no numbers of their own. "
    "`watch` doesn't record the backwards of transforms. With `parallel_chunk_size=1` torchjd runs a backward for "
    "each loss, and `watch` records them."
)


def step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    out = model(torch.randn(5, 3))
    return out.square().mean(0), model


def train(losses, model):
    backward(losses)
    jac_to_grad(model.parameters(), UPGrad())
