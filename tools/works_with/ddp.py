"""`DistributedDataParallel`, on gloo, one process."""

import tempfile

import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

PACKAGE, REQUIRES = "torch", []
TITLE = "torch, DDP"


def step():
    if not torch.distributed.is_initialized():
        where = f"file://{tempfile.mkdtemp()}/meeting"
        torch.distributed.init_process_group("gloo", init_method=where, rank=0, world_size=1)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    model = DistributedDataParallel(net)
    return model(torch.randn(5, 3)).square().mean(), model
