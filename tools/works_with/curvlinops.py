"""A product with the generalised Gauss-Newton matrix, then an ordinary step."""

import torch
from curvlinops import GGNLinearOperator

PACKAGE, REQUIRES = "curvlinops-for-pytorch", ["curvlinops-for-pytorch==3.0.1"]
NOTE = (
    "The product runs inside `torch.func.jvp`, where PyTorch hides Python numbers from any kernel "
    "that is written in Python. `swap` says so when its block ends. Compute the product outside of the block."
)


def step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    x, y = torch.randn(5, 3), torch.randn(5, 1)
    parameters = list(model.parameters())
    curvature = GGNLinearOperator(model, torch.nn.MSELoss(), parameters, [(x, y)], check_deterministic=False)
    curvature @ torch.ones(curvature.shape[1])
    return torch.nn.functional.mse_loss(model(x), y), model
