"""An ODE, solved with the adjoint method."""

import torch
from torchdiffeq import odeint_adjoint

PACKAGE, REQUIRES = "torchdiffeq", ["torchdiffeq==0.2.5"]


class Field(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))

    def forward(self, _time, y):
        return self.net(y)


def step():
    field = Field()
    path = odeint_adjoint(field, torch.ones(3, 2), torch.linspace(0, 1, 3), method="rk4")
    return path[-1].square().mean(), field
