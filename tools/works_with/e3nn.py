"""An equivariant tensor product of spherical harmonics."""

import torch
from e3nn import o3

PACKAGE, REQUIRES = "e3nn", ["e3nn==0.5.6"]


class Product(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.product = o3.FullyConnectedTensorProduct("4x0e + 2x1o", "1x0e + 1x1o", "4x0e + 2x1o")

    def forward(self, x, positions):
        harmonics = o3.spherical_harmonics("1x0e + 1x1o", positions, normalize=True)
        return self.product(x, harmonics)


def step():
    model = Product()
    return model(torch.randn(5, 10), torch.randn(5, 3)).square().mean(), model
