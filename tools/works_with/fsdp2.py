"""`fully_shard` (FSDP2), on gloo, one process."""

import tempfile

import torch
import torch.distributed
from torch.distributed.fsdp import fully_shard

PACKAGE, REQUIRES = "torch", []
TITLE = "torch, FSDP2"


def step():
    if not torch.distributed.is_initialized():
        where = f"file://{tempfile.mkdtemp()}/meeting"
        torch.distributed.init_process_group("gloo", init_method=where, rank=0, world_size=1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    fully_shard(model, mesh=torch.distributed.init_device_mesh("cpu", (1,)))
    return model(torch.randn(5, 3)).square().mean(), model
