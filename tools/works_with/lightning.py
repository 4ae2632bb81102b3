"""A trainer's `fit`: two steps of a module."""

import lightning
import torch

PACKAGE, REQUIRES = "lightning", ["lightning==2.6.6"]


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))

    def training_step(self, batch, _index):
        return self.net(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def step():
    module = Module()
    return module.training_step(torch.randn(5, 3), 0), module


def train(_loss, module):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_steps=2, accelerator="cpu", enable_model_summary=False, **quiet)
    trainer.fit(module, torch.utils.data.DataLoader(torch.randn(10, 3), batch_size=5))
