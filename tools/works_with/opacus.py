"""Private training: each sample's own gradient, clipped, and noise."""

import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

PACKAGE, REQUIRES = "opacus", ["opacus==1.6.0"]
NOTE = (
    "Its hooks take the kept activations off a list, so this graph runs only once in PyTorch too, "
    "even with `retain_graph=True`. `check_engine` says so."
)


def step():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    model = GradSampleModule(net)
    return model(torch.randn(5, 3)).square().mean(), model


def train(loss, model):
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    loss.backward()
    DPOptimizer(sgd, noise_multiplier=1.0, max_grad_norm=1.0, expected_batch_size=5).pre_step()
