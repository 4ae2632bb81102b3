"""``autograd-lab run``: the script's own output, arguments, exit code and exceptions stay its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from autograd_lab.records import load

SCRIPT = """
import atexit, pickle, sys
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(3, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor):
        return self.out(torch.tanh(self.hidden(x)))


def main(argument):
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(3):
        optimizer.zero_grad()
        loss = model(torch.ones(2, 3)).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(argument, step, loss.item())
    pickle.loads(pickle.dumps(model))
    print(Net.forward.__annotations__)
    if argument == "raise":
        raise KeyError("mine")
    if argument == "text":
        sys.exit("a text")
    sys.exit(7)


if __name__ == "__main__":
    atexit.register(lambda: print("at exit", Net.__name__))
    main(sys.argv[1])
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def run(script, *arguments, under=("-m", "autograd_lab", "run")):
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *under, *arguments],
        cwd=script.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("argument", "code"), [("--plain", 7), ("raise", 1), ("text", 1)])
def test_the_script_cannot_tell(script, argument, code):
    plain = run(script, "train.py", argument, under=())
    watched = run(script, "train.py", argument)
    assert (watched.returncode, watched.stdout) == (plain.returncode, plain.stdout)
    assert watched.returncode == code
    assert watched.stderr.startswith(plain.stderr)
    assert "at exit Net" in watched.stdout
    table = watched.stderr.removeprefix(plain.stderr)
    assert "backward 0, train.py:" in table
    assert "hidden.weight" in table


def test_a_range_is_listed_and_written(script):
    ran = run(script, "--backward", "1:", "--stats", "full", "--out", "trace.json", "train.py", "x")
    assert ran.returncode == 7
    assert "wrote trace-0.json\nwrote trace-1.json\n" in ran.stderr
    traces = [load(script.parent / f"trace-{number}.json") for number in (0, 1)]
    assert [trace.number for trace in traces] == [1, 2]
    assert traces[0].steps[0].grad_outputs[0].max_abs == 1.0
    tanh = traces[1].graph.find("tanh")[0]
    assert (tanh.module, tanh.source.function) == ("", "Net.forward")
    assert tanh.source.file == str(script)


def test_one_backward_with_its_kernels(script):
    ran = run(script, "--backward", "2", "--kernels", "--out", "t.json", "train.py", "x")
    trace = load(script.parent / "t.json")
    assert trace.number == 2
    assert any(kernel.hidden for step in trace.steps for kernel in step.kernels)
    assert "(sum.dim_IntList)" in ran.stderr


def test_a_module_as_after_python_m(script):
    ran = run(script, "-m", "train", "--its-own")
    assert ran.returncode == 7
    assert ran.stdout.startswith("--its-own 0")


def test_wrong_calls_get_one_line(script):
    for arguments, message in (
        (["none.py"], "there is no script none.py"),
        (["--backward", "x", "train.py"], "'x' is no backward; write 0, 3:6 or 3:"),
        (["--backward", "3:3", "train.py"], "'3:3' holds no backward"),
        (["--out", "trace.pgn", "train.py"], "unknown format 'pgn'"),
        (["--stats", "some", "train.py"], "'some' is not one of"),
    ):
        ran = run(script, *arguments)
        assert (ran.returncode, ran.stdout) == (2, ""), arguments
        assert message in ran.stderr
        assert len(ran.stderr.splitlines()) == 1


def test_a_script_without_a_backward_says_so(script):
    ran = run(script, "--backward", "5", "--out", "t.json", "train.py", "x")
    assert ran.returncode == 7
    assert "never came to backward 5; it ran 3, counted from 0" in ran.stderr
    assert not (script.parent / "t.json").exists()


def test_json_is_json(script):
    run(script, "--out", "t.json", "train.py", "x")
    assert json.loads((script.parent / "t.json").read_text())
