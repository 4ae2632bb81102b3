"""Makes ``docs/_static/terminal.txt``: a session in a terminal of 80 columns, with what each command printed.

Run it after a wanted change of what commands print, as ``python tools/terminal_session.py``;
``tests/docs/test_terminal.py`` says when one is wanted. Times differ from run to run; ``timeless`` takes them out for
the comparison.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autograd_lab.cli import main as command_line

SESSION = Path(__file__).parent.parent / "docs" / "_static" / "terminal.txt"
COLUMNS = 80

TRAIN = """\
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(
    nn.Sequential(nn.Linear(4, 8), nn.Tanh()),
    nn.Sequential(nn.Linear(8, 8), nn.Tanh()),
    nn.Linear(8, 1),
)
x, wanted = torch.randn(16, 4), torch.randn(16, 1)


def make_loss():
    return nn.functional.mse_loss(model(x), wanted), model


if __name__ == "__main__":
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(40):
        optimizer.zero_grad()
        make_loss()[0].backward()
        optimizer.step()
"""

COMMANDS = (
    ("cat train.py", ""),
    ("autograd-lab run --depth 1 train.py", ""),
    ("autograd-lab run --backward ::10,-1 --out some.json train.py", ""),
    ("autograd-lab render some.json --view norms --out norms.svg", ""),
    ("autograd-lab render train.py:make_loss", ""),
    ("autograd-lab step train.py:make_loss", "break 1.0.bias\ncontinue\nwhere\nqueue\nquit\n"),
    ("autograd-lab verify train.py:make_loss --swap linear,tanh", ""),
    ("autograd-lab verify sofmax", ""),
)
"""Each command, and what is typed into it."""


def session() -> str:
    """Returns the session's text."""
    with tempfile.TemporaryDirectory() as folder, _in_a_terminal(folder):
        Path("train.py").write_text(TRAIN, "utf-8")
        text = "\n".join(f"$ {command}\n{_printed(command, typed)}" for command, typed in COMMANDS)
        return text.replace(f"{os.path.realpath(folder)}/", "").replace(f"{folder}/", "")


def timeless(text: str) -> list[str]:
    r"""Returns a session's lines without what differs: times, columns' widths and, between machines, the last bits.

    Example:
        >>> timeless(" step  ms\n ──────────\n    0  1.234")
        ['step ms', '', '0 ·']
    """
    text = re.sub(r"\b\d[\d,]*\.\d{3}\b(?!\d)| in [\d,.]+ ms", " ·", text.replace("─", ""))
    text = re.sub(r"\bequal$|\bwithin .* relative$", "nearly equal", text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.splitlines()]


def _printed(command: str, typed: str) -> str:
    program, *arguments = shlex.split(command)
    if program == "cat":
        return Path(*arguments).read_text("utf-8")
    sys.argv = [program, *arguments]
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        sys.stdin = io.StringIO(typed)
        with contextlib.suppress(SystemExit):
            command_line()
    for name in [name for name in sys.modules if name.startswith("autograd_lab_target_")]:
        del sys.modules[name]
    return screen.getvalue()


@contextlib.contextmanager
def _in_a_terminal(folder: str) -> Iterator[None]:
    """Puts back afterwards what a command changes in its process."""
    before = sys.argv, sys.stdin, sys.path, sys.modules["__main__"], os.getcwd(), os.environ.get("COLUMNS")
    try:
        os.chdir(folder)
        sys.path, os.environ["COLUMNS"] = [*sys.path], str(COLUMNS)
        yield
    finally:
        sys.argv, sys.stdin, sys.path, sys.modules["__main__"], here, columns = before
        os.chdir(here)
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns


def main() -> None:
    """Writes the session."""
    SESSION.write_text(session(), "utf-8")


if __name__ == "__main__":
    main()
