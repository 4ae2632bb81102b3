"""``autograd-lab run``: the script's own output, arguments, exit code and exceptions stay its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import leftovers
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


@pytest.fixture
def here(lab, script, monkeypatch):
    """The same in this process, which is quicker. At its end nothing of the script is left in here."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setenv("COLUMNS", "200")
    script.write_text(SCRIPT.replace("atexit.register", "(lambda _: None)"))
    return lambda *arguments: lab("run", *arguments)


@pytest.mark.parametrize(
    ("argument", "code"), [("--plain", 7), ("raise", 1), pytest.param("text", 1, marks=pytest.mark.sweep)]
)
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


RAISES = """
import torch

def loss():
    return torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.tensor([9]))

w, v = (torch.ones(2, requires_grad=True) for _ in range(2))
w.register_hook(lambda grad: 1 / 0)
v.register_post_accumulate_grad_hook(lambda leaf: {}["none"])
try:
    (w * 2).sum().backward()
except ZeroDivisionError:
    try:
        (v * 2).sum().backward()
    except KeyError as key:
        try:
            loss()
        except ValueError as error:
            raise ExceptionGroup("several", [error, key]) from error
"""


@pytest.mark.parametrize("breaks", [RAISES, "def f(:\n"], ids=["it raises", "its syntax"])
def test_a_traceback_is_as_without_the_lab(script, breaks):
    script.write_text(breaks)
    plain = run(script, "train.py", under=())
    watched = run(script, "--kernels", "--backward", ":", "train.py")
    assert plain.returncode == watched.returncode == 1
    assert ("ZeroDivisionError" in plain.stderr) == (breaks == RAISES)
    assert watched.stderr.startswith(plain.stderr)
    assert "autograd_lab/" not in watched.stderr


def test_a_module_as_after_python_m(script):
    ran = run(script, "-m", "train", "--its-own")
    assert ran.returncode == 7
    assert ran.stdout.startswith("--its-own 0")


def test_a_file_is_written_where_it_was_asked_for_wherever_the_script_goes(here, script):
    script.write_text(f"import os\nos.mkdir('far')\nos.chdir('far')\n{script.read_text()}")
    ran = here("--out", "t.json", "train.py", "x")
    assert ran.code == 7
    assert f"wrote {script.parent / 't.json'}" in ran.err
    assert len(load(script.parent / "t.json").steps) == 11


def test_the_exit_code_stays_the_scripts_when_a_file_cannot_be_written(here, script):
    script.write_text(f"import os, sys\nos.rename('there', 'gone')\n{script.read_text()}")
    (script.parent / "there").mkdir()
    ran = here("--out", "there/t.json", "train.py", "x")
    assert ran.code == 7
    assert "hidden.weight" in ran.err
    assert ran.err.splitlines()[-1].startswith("autograd-lab: cannot write ")


def test_backwards_inside_others_get_files_of_their_own(here, script):
    script.write_text("""
import torch
from torch.utils.checkpoint import checkpoint
x = torch.ones(2, requires_grad=True)
for _ in range(2):
    checkpoint(torch.cos, checkpoint(torch.sin, x, use_reentrant=True), use_reentrant=True).sum().backward()
""")
    ran = here("--backward", ":", "--out", "t.md", "train.py")
    names = ["t-0.md", "t-0.1.md", "t-0.2.md", "t-1.md", "t-1.1.md", "t-1.2.md"]
    assert [line for line in ran.err.splitlines() if "wrote" in line] == [f"wrote {name}" for name in names]
    assert all((script.parent / name).exists() for name in names)
    here("--backward", ":", "--out", "t.json", "train.py")
    traces = load(script.parent / "t.json")
    assert [trace.number for trace in traces] == [0, 0, 0, 1, 1, 1]
    assert [trace.within is not None for trace in traces] == [False, True, True] * 2


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        ("svg", b"<?xml"),
        ("png", b"\x89PNG"),
        ("perfetto", b'{"displayTimeUnit"'),
        ("dot", b"digraph"),
        ("md", b"# Backward 0"),
    ],
)
def test_each_format(here, script, ending, begins):
    assert here("--out", f"t.{ending}", "train.py", "x").code == 7
    assert (script.parent / f"t.{ending}").read_bytes().startswith(begins)


def test_several_backwards_in_one_plot_and_one_time_line(here, script):
    for out, options in (("n.svg", ["--view", "norms"]), ("t.perfetto", [])):
        ran = here("--backward", ":", *options, "--out", out, "train.py", "x")
        assert ran.err.endswith(f"wrote {out}\n")
    shown = (script.parent / "n.svg").read_text("utf-8")
    assert "<!-- hidden.weight -->" in shown
    events = json.loads((script.parent / "t.perfetto").read_text("utf-8"))["traceEvents"]
    assert len({event["pid"] for event in events}) == 3


def test_repeated_blocks_of_what_was_watched_are_drawn_once(here, script):
    script.write_text("""
import torch
torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
model = torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
model(torch.randn(2, 5, 8, requires_grad=True)).square().mean().backward()
""")
    assert here("--depth", "2", "--repeats", "--out", "t.md", "train.py").code == 0
    assert "layers.0 … 2 × 3" in (script.parent / "t.md").read_text("utf-8")


def test_a_range_is_listed_and_written(here, script):
    ran = here("--backward", "1:", "--stats", "full", "--out", "trace.json", "train.py", "x")
    assert ran.code == 7
    assert ran.err.endswith("wrote trace.json\n")
    traces = load(script.parent / "trace.json")
    assert [trace.number for trace in traces] == [1, 2]
    assert traces[0].steps[0].grad_outputs[0].max_abs == 1.0
    tanh = traces[1].graph.find("tanh")[0]
    assert (tanh.module, tanh.source.function) == ("", "Net.forward")
    assert tanh.source.file == str(script)


def test_what_is_asked_of_tables_is_asked_of_each_of_several(here, script):
    ran = here("--backward", "1:", "--depth", "0", "train.py", "x")
    assert ran.code == 7
    assert ran.err.count(" whole model ") == 2
    script.write_text("import torch\n(torch.ones(2, requires_grad=True) * 2).sum().backward()\n")
    ran = here("--depth", "0", "train.py")
    assert ran.code == 0
    assert "MulBackward0" in ran.err
    assert ran.err.splitlines()[-1].startswith(
        "autograd-lab: --depth shows modules, and only a watched forward"
    )
    ran = here("--depth", "0", "--nodes", "train.py")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ("-1", [4]),
        ("1,3", [1, 3]),
        ("::2", [0, 2, 4]),
        ("-2:", [3, 4]),
        ("1:3", [1, 2]),
        ("0,-1", [0, 4]),
        (":-3", [0, 1]),
    ],
)
def test_which_backwards(lab, which, numbers):
    Path("five.py").write_text(
        "import torch\nw = torch.ones(2, requires_grad=True)\nfor _ in range(5):\n    (w * 2).sum().backward()\n"
    )
    assert lab("run", "--backward", which, "--out", "t.json", "five.py").code == 0
    found = load("t.json")
    assert [trace.number for trace in (found if isinstance(found, list) else [found])] == numbers


def test_one_backward_with_its_kernels(here, script):
    ran = here("--backward", "2", "--kernels", "--out", "t.json", "train.py", "x")
    trace = load(script.parent / "t.json")
    assert trace.number == 2
    assert any(kernel.hidden for step in trace.steps for kernel in step.kernels)
    assert "(sum.dim_IntList)" in ran.err


def test_wrong_calls_get_one_line(here, script):
    for arguments, message in (
        (["none.py"], "there is no script none.py"),
        (["--backward", "x", "train.py"], "'x' is no backward; write 0, -1, 10:20, ::100 or 1,3"),
        (["--backward", "1,,3", "train.py"], "'' is no backward"),
        (["--backward", "::-1", "train.py"], "'::-1' is no backward"),
        (["--backward", "::0", "train.py"], "'::0' goes nowhere; write a step from 1"),
        (["--backward", "3:3", "train.py"], "'3:3' holds no backward"),
        (["--backward", "-1:-2", "train.py"], "'-1:-2' holds no backward"),
        (["--out", "trace.pgn", "train.py"], "unknown format 'pgn'"),
        (
            ["--out", "t.svg", "--view", "nroms", "train.py"],
            "use one of trace, norms (did you mean 'norms'?)",
        ),
        (["--out", "t.json", "--view", "norms", "train.py"], "view 'norms' makes no json"),
        (["--out", "t.svg", "--view", "norms", "--depth", "1", "train.py"], "has no option 'depth'"),
        (["--out", "t.svg", "--view", "norms", "--stats", "none", "train.py"], "doesn't measure"),
        (["--view", "norms", "train.py"], "say which one with --out"),
        (["--no-browser", "train.py"], "--no-browser is of --live; give both, or neither"),
        (["--out", "none/t.svg", "train.py"], "there is no folder"),
        (["--bakward", "3", "train.py"], "no option --bakward: did you mean '--backward'?"),
        (["-m", "none.at_all"], "there is no module none.at_all"),
        (["--stats", "some", "train.py"], "no stats 'some': use one of"),
    ):
        ran = here(*arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert message in ran.err
        assert len(ran.err.splitlines()) == 1


def test_a_script_without_a_backward_says_so(here, script):
    ran = here("--backward", "5", "--out", "t.json", "train.py", "x")
    assert ran.code == 7
    assert "never came to backward 5; it ran 3, counted from 0" in ran.err
    assert not (script.parent / "t.json").exists()


def test_json_is_json(here, script):
    here("--out", "t.json", "train.py", "x")
    assert json.loads((script.parent / "t.json").read_text())


def test_backwards_of_transforms_are_said_in_one_line(tmp_path):
    Path(tmp_path, "slope.py").write_text(
        "import torch\nx = torch.ones(3, requires_grad=True)\n(x * 2).sum().backward()\n"
        "torch.func.grad(lambda x: x * x)(torch.tensor(2.0))\n"
    )
    ran = run(Path(tmp_path, "slope.py"), "slope.py")
    assert ran.returncode == 0
    said = "autograd-lab: 1 backward inside torch.func or with is_grads_batched=True can't be traced\n"
    assert ran.stderr.count(said) == 1


_ONE_BACKWARD = """
import os, sys
import torch

torch.nn.Linear(3, 1)(torch.ones(2, 3)).sum().backward()
"""


@pytest.mark.parametrize(
    "ending",
    [
        "sys.stdout.close()",
        "sys.stdout = None",
        "sys.stderr.close()",
        "sys.stderr = None",
        "os.close(2)",
    ],
)
def test_a_script_may_close_its_streams(tmp_path, ending):
    script = tmp_path / "closes.py"
    script.write_text(_ONE_BACKWARD + ending + "\nsys.exit(3)\n")
    ran = run(script, "--out", "trace.json", script.name)
    assert ran.returncode == 3
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "lost sys.stderr" not in ran.stderr
    assert load(tmp_path / "trace.json").number == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_the_script_forked_reports_nothing(tmp_path):
    script = tmp_path / "forks.py"
    script.write_text(
        _ONE_BACKWARD
        + "child = os.fork()\nif not child:\n    sys.exit(7)\nsys.exit(os.waitpid(child, 0)[1] >> 8)\n"
    )
    ran = run(script, "--out", "trace.json", script.name)
    assert ran.returncode == 7
    assert ran.stderr.count("wrote trace.json") == 1
    assert ran.stderr.count("5 steps") == 1


@pytest.mark.parametrize(("argument", "code"), [("--plain", 7), ("raise", 1), ("text", 1)])
def test_a_run_that_is_followed_is_the_scripts_own(here, argument, code):
    plain = here("train.py", argument)
    followed = here("--live", "--no-browser", "--backward", "::2", "--out", "page.html", "train.py", argument)
    assert (plain[0], followed[0]) == (code, code)
    assert followed[1] == plain[1]
    first, rest = followed[2].split("\n", 1)
    assert re.fullmatch(r"autograd-lab: follow the run at http://127\.0\.0\.1:\d+/[\w-]+/", first)
    assert "2  train.py:" in rest
    assert "autograd-lab: follow" not in rest
    assert Path("page.html").read_text("utf-8").startswith("<!doctype html>")
    assert not leftovers.live_threads()


def test_each_tenth_is_followed_unless_the_user_says(lab, tmp_path):
    (tmp_path / "many.py").write_text(
        "import torch\nw = torch.ones(1, requires_grad=True)\nfor _ in range(25): (w * 2).sum().backward()\n"
    )
    code, _, told = lab("run", "--live", "--no-browser", "--out", "traces.json", "many.py")
    assert code == 0, told
    assert [trace.number for trace in load(tmp_path / "traces.json")] == [0, 10, 20]


def test_a_browser_is_opened_at_the_address(here, monkeypatch):
    opened = []
    monkeypatch.setattr("autograd_lab.cli.browser.open_browser", opened.append)
    _, _, told = here("--live", "train.py", "--plain")
    assert opened == [told.split()[5]]
    here("--live", "--no-browser", "train.py", "--plain")
    assert len(opened) == 1


SLOW = """
import time, torch
w = torch.ones(1, requires_grad=True)
while True:
    (w * 2).sum().backward()
    time.sleep(0.01)
"""


def test_an_interrupt_ends_a_run_that_is_followed(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "autograd_lab", "run", "--live", "--no-browser", "slow.py"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        address = running.stderr.readline().split()[-1]
        with urllib.request.urlopen(address + "events", timeout=30) as events:
            assert events.readline() == b"event: trace\n"
            running.send_signal(signal.SIGINT)
            said = events.read().decode()
        told = running.stderr.read()
    assert running.returncode == 130
    assert said.endswith("event: ended\ndata: \n\n")
    assert "KeyboardInterrupt" in told
    assert "live" not in told.partition("KeyboardInterrupt")[2]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)
