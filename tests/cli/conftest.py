"""Runs the command line in this process, as a user would see it."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from autograd_lab.cli import main

MODELS = """
import torch

model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))

def loss():
    return model(torch.ones(2, 3)).square().mean()

def loss_and_model():
    return loss(), model

def no_graph():
    return torch.ones(3)

def scalar():
    return (torch.tensor(0.0, requires_grad=True) * 2.0 - 4.0) ** 2
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _imports_are_forgotten(monkeypatch):
    """What a TARGET imported isn't there for the next one."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in [name for name in sys.modules if name.startswith("autograd_lab_target_") or name == "helper"]:
        del sys.modules[name]


@pytest.fixture
def lab(tmp_path, monkeypatch, capsys):
    """Calls ``autograd-lab`` in a fresh folder that holds ``models.py``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["autograd-lab", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return Ran(left.value.code, *capsys.readouterr())

    return run
