"""Differentiable image augmentation and filters."""

import kornia
import torch

PACKAGE, REQUIRES = "kornia", ["kornia==0.9.0"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return kornia.filters.sobel(kornia.geometry.rotate(self.first(x), torch.tensor([30.0])))


def step():
    net = Net()
    return net(torch.rand(1, 3, 16, 16)).mean(), net
