"""Other processes are noticed, and said in one line."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from autograd_lab.cli.children import NOTE

SCRIPTS = {
    "subprocess": "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)",
    "fork": "import multiprocessing as mp; p = mp.get_context('fork').Process(target=print); p.start(); p.join()",
    "still there": """
import multiprocessing as mp, time
mp.get_context('fork').Process(target=time.sleep, args=(60,), daemon=True).start()
""",
    "workers": """
import torch
for _ in torch.utils.data.DataLoader([1.0, 2.0], num_workers=1):
    pass
""",
}


@pytest.fixture(autouse=True)
def _ended():
    yield
    for child in multiprocessing.active_children():
        child.terminate()
        child.join()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("kind", SCRIPTS)
def test_other_processes_are_said(lab, kind):
    Path("starts.py").write_text(SCRIPTS[kind])
    assert lab("run", "starts.py").err.splitlines()[-1] == f"autograd-lab: {NOTE}"


def test_where_there_are_none_nothing_is_said(lab):
    Path("alone.py").write_text("print('alone')")
    assert NOTE not in lab("run", "alone.py").err
