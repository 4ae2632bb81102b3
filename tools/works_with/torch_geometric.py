"""A graph convolution and graph attention."""

import torch
from torch_geometric.nn import GATConv, GCNConv

PACKAGE, REQUIRES = "torch_geometric", ["torch_geometric==2.8.1"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = GCNConv(4, 8)
        self.second = GATConv(8, 2, heads=2)

    def forward(self, x, edges):
        return self.second(self.first(x, edges).relu(), edges)


def step():
    net = Net()
    edges = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    return net(torch.randn(4, 4), edges).square().mean(), net
