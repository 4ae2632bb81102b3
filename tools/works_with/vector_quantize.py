"""A quantised code book with a straight-through gradient."""

import torch
from vector_quantize_pytorch import FSQ, VectorQuantize

PACKAGE, REQUIRES = "vector-quantize-pytorch", ["vector-quantize-pytorch==1.32.0"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Linear(3, 4)
        self.codes = VectorQuantize(dim=4, codebook_size=8)
        self.scalar = FSQ(levels=[5, 5, 5, 5])

    def forward(self, x):
        codes, _, commitment = self.codes(self.encoder(x))
        return self.scalar(codes)[0].square().mean() + commitment.sum()


def step():
    net = Net()
    return net(torch.randn(1, 6, 3)), net
