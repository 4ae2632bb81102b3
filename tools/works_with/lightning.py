"""A Lightning module's training step, in a trainer."""

import lightning
import torch

PACKAGE, REQUIRES = "lightning", ["lightning==2.6.6"]


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))

    def training_step(self, batch, _index):
        return self.net(batch).square().mean()


def step():
    module = Module()
    return module.training_step(torch.randn(5, 3), 0), module
