"""A Laplace approximation of the last layer, then its marginal likelihood."""

import torch
from laplace import Laplace

PACKAGE, REQUIRES = "laplace-torch", ["laplace-torch==0.3"]


def step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    data = torch.utils.data.TensorDataset(torch.randn(8, 3), torch.randn(8, 1))
    posterior = Laplace(model, "regression", subset_of_weights="last_layer", hessian_structure="kron")
    posterior.fit(torch.utils.data.DataLoader(data, batch_size=4))
    noise = torch.nn.Parameter(torch.zeros(1))
    prior = torch.nn.Parameter(torch.zeros(1))
    evidence = posterior.log_marginal_likelihood(prior.exp(), noise.exp())
    return -evidence.sum(), torch.nn.ParameterDict({"noise": noise, "prior": prior})
