"""What all tests share: steady random numbers, and one thread for each test process."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)  # pytest-xdist already uses every core

settings.register_profile("lab", deadline=None, derandomize=True)
settings.load_profile("lab")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
