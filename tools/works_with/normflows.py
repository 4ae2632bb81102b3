"""A real-valued non-volume preserving flow's likelihood."""

import normflows
import torch

PACKAGE, REQUIRES = "normflows", ["normflows==1.7.3"]


def step():
    layers = []
    for _ in range(2):
        net = normflows.nets.MLP([1, 8, 2], init_zeros=True)
        layers += [normflows.flows.AffineCouplingBlock(net), normflows.flows.Permute(2, mode="swap")]
    model = normflows.NormalizingFlow(normflows.distributions.DiagGaussian(2, trainable=False), layers)
    return model.forward_kld(torch.randn(6, 2)), model
