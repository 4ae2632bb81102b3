"""A wavelet transform and back."""

import torch
from pytorch_wavelets import DWTForward, DWTInverse

PACKAGE, REQUIRES = "pytorch_wavelets", ["pytorch_wavelets==1.3.0", "PyWavelets", "six", "setuptools<81"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 2, 3, padding=1)
        self.forth, self.back = DWTForward(J=2, wave="db2"), DWTInverse(wave="db2")

    def forward(self, x):
        low, high = self.forth(self.first(x))
        return self.back((low, [each.tanh() for each in high]))


def step():
    net = Net()
    return net(torch.rand(1, 1, 16, 16)).square().mean(), net
