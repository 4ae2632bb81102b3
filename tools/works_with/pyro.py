"""Stochastic variational inference: the evidence lower bound of a small model."""

import pyro
import pyro.distributions as dist
import torch

PACKAGE, REQUIRES = "pyro-ppl", ["pyro-ppl==1.9.2"]


class Model(pyro.nn.PyroModule):
    def __init__(self):
        super().__init__()
        self.loc = torch.nn.Parameter(torch.zeros(2))
        self.scale = torch.nn.Parameter(torch.zeros(2))

    def forward(self, data):
        weight = pyro.sample("weight", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        with pyro.plate("data", len(data)):
            pyro.sample("seen", dist.Normal(data @ weight, 1.0), obs=data.sum(-1))

    def guide(self, _data):
        pyro.sample("weight", dist.Normal(self.loc, self.scale.exp()).to_event(1))


def step():
    pyro.clear_param_store()
    model = Model()
    data = torch.linspace(0, 1, 10).reshape(5, 2)
    return pyro.infer.Trace_ELBO().differentiable_loss(model, model.guide, data), model
