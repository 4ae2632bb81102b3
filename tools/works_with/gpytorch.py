"""A Gaussian process by conjugate gradients, without a Cholesky factor."""

import gpytorch
import torch

PACKAGE, REQUIRES = "gpytorch", ["gpytorch==1.15.2"]


class Process(gpytorch.models.ExactGP):
    def __init__(self, x, y, likelihood):
        super().__init__(x, y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def step():
    x = torch.linspace(0, 1, 10)
    y = x.sin()
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    process = Process(x, y, likelihood).train()
    evidence = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, process)
    with gpytorch.settings.max_cholesky_size(1):
        return -evidence(process(x), y), process
