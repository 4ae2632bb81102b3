"""The parent's side of `child.py`: C and Rust code in a process of its own.

Graphviz and the layered layout are native code. On an ill graph they can overflow the stack, abort or be killed for
their memory, and inside the user's Python any of these would end it. fontconfig, besides, reads its configuration
once in a process's life, so that a font configuration set in the user's process would either come too late or stay
for good. A process of its own costs about 0.06 s and settles all of this.

What it relies on: that ``sys.executable`` is a Python which may be started again. What it promises: the whole result,
or a `RenderError` with one line that says what happened; the user's environment and signal handlers aren't touched.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from autograd_lab.draw.child import MISSING
from autograd_lab.errors import RenderError

_CHILD = Path(__file__).with_name("child.py")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Answer(NamedTuple):
    """What a job gave back.

    Attributes:
        result: What it wrote; nothing where it failed.
        said: What was written on standard error.
        ok: Whether it went well.

    Example:
        >>> Answer(b"", "Error: no graph", False).ok
        False
    """

    result: bytes
    said: str
    ok: bool


def call(
    job: str,
    body: bytes = b"",
    *,
    advice: str,
    options: Mapping[str, object] = _NOTHING,
    variables: Mapping[str, str] = _NOTHING,
) -> Answer:
    """Runs one of `child.py`'s jobs and waits for it.

    Args:
        job: The job's name, as ``child.JOBS`` has it.
        body: What the job works on.
        advice: What to do where the job lacks a package; the end of the error's message.
        options: What else the job wants to know; JSON must be able to carry it.
        variables: Environment variables to add in the child.

    Returns:
        The job's answer; a job that went wrong says why in ``said``.

    Raises:
        RenderError: the child couldn't be started, was killed by a signal, or lacks a package.

    Example:
        >>> call("version of wheel", advice="pip install pygraphviz").ok
        True
    """
    if not sys.executable:
        raise RenderError(
            "pictures are drawn by a second Python process, and this Python doesn't know its own path"
        )
    # The child finds packages where this process finds them, but what lies beside the script, `graphviz.py` above all,
    # shadows none of them (-P), and a user's -W error doesn't reach them.
    command = [sys.executable, "-P", "-W", "ignore", str(_CHILD)]
    header = json.dumps({"job": job, "path": [place for place in sys.path if place], **options}).encode()
    try:
        done = subprocess.run(
            command,
            input=header + b"\n" + body,
            capture_output=True,
            env={**os.environ, **variables},
            check=False,
        )
    except OSError as error:
        raise RenderError(f"the process that draws can't be started: {error}") from error
    said = done.stderr.decode("utf-8", errors="replace")
    if done.returncode == MISSING:
        raise RenderError(f"{said.strip().splitlines()[-1]}: {advice}")
    if done.returncode < 0:
        raise RenderError(
            f"the process that draws crashed ({_signal_name(-done.returncode)}); try a smaller graph"
        )
    return Answer(done.stdout, said, done.returncode == 0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
