"""The README's own lines, as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import scripts

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")

TRAIN = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 3)

    def forward(self, x):
        return self.layer(x).relu()

def make_loss():
    return Net()(torch.ones(1, 3, 8, 8)).mean()

if __name__ == "__main__":
    for _ in range(4):
        make_loss().backward()
"""


def test_the_examples_run_one_after_another(tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "self_attn" in ran.stdout  # the table by module
    (printed,) = re.findall(r"^print\(y\.grad_fn.*  # (.*)$", code, re.MULTILINE)
    assert ran.stdout.splitlines()[-1] == printed
    assert (tmp_path / "graph.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.parametrize("line", re.findall(r"^autograd-lab (?!doctor)[^#\n]*", README, re.MULTILINE))
def test_each_command_runs(tmp_path, line):
    (tmp_path / "train.py").write_text(TRAIN)
    words = line.replace("--live", "--live --no-browser").split()
    command = [sys.executable, "-m", "autograd_lab", *words[1:]]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    if " --live " in line:
        assert "http://127.0.0.1:" in ran.stderr
    elif " run " in line:
        assert "backward 3, train.py:" in ran.stderr  # its table goes there
    else:
        assert ran.stderr == ""


def test_ci_finds_the_commands():
    commands = {
        "the main job": "&& autograd-lab demo",
        "the tests": "&& pytest",
        "the site": "&& sphinx-build -j 2 -W --keep-going docs docs/_build/html",
    }
    for mark, ends in commands.items():
        (command,) = re.findall(rf"<!-- {mark} -->\n```sh\n(.*)\n```", README)
        assert command.endswith(ends)
        assert "-c constraints.txt" in command


def texts(svg):
    """What is written in a picture; where it stands is Graphviz's affair."""
    return sorted(
        "".join(each.itertext())
        for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    )


@pytest.mark.parametrize("name", ["seed.svg", "transformer.svg"])
def test_the_pictures_are_what_the_script_makes(name):
    script = scripts.load("readme_pictures")
    assert name in README
    assert sorted(script.PICTURES) == ["seed.svg", "transformer.svg"]
    there = (ROOT / "docs" / "_static" / name).read_text("utf-8")
    assert texts(script.PICTURES[name]()) == texts(there)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_into_the_repository_lead_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text) for link in link if link]
    assert links
    for link in links:
        assert link.startswith("http") or (ROOT / link).exists(), link
