"""A stochastic differential equation, solved with the adjoint method."""

import torch
import torchsde

PACKAGE, REQUIRES = "torchsde", ["torchsde==0.2.6"]


class Equation(torch.nn.Module):
    noise_type, sde_type = "diagonal", "stratonovich"

    def __init__(self):
        super().__init__()
        self.drift = torch.nn.Linear(2, 2)
        self.spread = torch.nn.Linear(2, 2)

    def f(self, _time, y):
        return self.drift(y)

    def g(self, _time, y):
        return self.spread(y).sigmoid()


def step():
    equation = Equation()
    times = torch.linspace(0, 0.2, 3)
    noise = torchsde.BrownianInterval(t0=0.0, t1=0.2, size=(3, 2), entropy=0)
    path = torchsde.sdeint_adjoint(equation, torch.ones(3, 2), times, bm=noise, dt=0.1, method="midpoint")
    return path[-1].square().mean(), equation
