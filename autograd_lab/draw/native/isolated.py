"""The parent's side of `child.py`: C and Rust code in a process of its own.

Graphviz and the layered layout are native code. On an ill graph they can overflow the stack, abort or be killed for
their memory, and inside the user's Python any of these would end it. fontconfig, besides, reads its configuration
once in a process's life, so that a font configuration set in the user's process would either come too late or stay
for good. A process of its own costs about 0.06 s and settles all of this.

Relies on ``sys.executable`` being a Python that may be started again. Promises the whole result, or a `RenderError`
with one line that says what happened, and no later than the limit that was given; that nothing of the child is left
when the call is over or interrupted, nor when this process is killed (Note [Two processes]); and that the user's
environment and signal handlers aren't touched.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from autograd_lab.draw.native.child import MISSING
from autograd_lab.errors import RenderError
from autograd_lab.hold import Hold

LONGEST = 300.0
"""Seconds that a job may take for which no other limit is given."""

_CHILD = Path(__file__).with_name("child.py")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class OutOfTimeError(RenderError):
    """A job took longer than it may."""


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
    limit: float | None = None,
    options: Mapping[str, object] = _NOTHING,
    variables: Mapping[str, str] = _NOTHING,
) -> Answer:
    """Runs one of `child.py`'s jobs and waits for it.

    Args:
        job: The job's name, as ``child.JOBS`` has it.
        body: What the job works on.
        advice: What to do where the job lacks a package; the end of the error's message.
        limit: Seconds that it may take; `LONGEST` if not given.
        options: What else the job wants to know; JSON must be able to carry it.
        variables: Environment variables to add in the child.

    Returns:
        The job's answer; a job that went wrong says why in ``said``.

    Raises:
        OutOfTimeError: the job took longer than ``limit``.
        RenderError: the child couldn't be started, was killed by a signal, or lacks a package.

    Example:
        >>> call("version of wheel", advice="pip install pygraphviz").ok
        True
    """
    limit = LONGEST if limit is None else limit
    if not sys.executable:
        raise RenderError(
            "pictures are drawn by a second Python process, and this Python doesn't know its own path"
        )
    # The child finds packages where this process finds them, but what lies beside the script, `graphviz.py` above all,
    # shadows none of them (-P), and a user's -W error doesn't reach them.
    command = [sys.executable, "-P", "-W", "ignore", str(_CHILD)]
    header = {"job": job, "path": [place for place in sys.path if place], "length": len(body), **options}
    header |= {"limit": limit, "parent": os.getpid()}
    with Hold() as held:
        process = _Process()
        held.add(process.end)
        try:
            code, result, complaint = process.run(
                command, json.dumps(header).encode() + b"\n" + body, {**os.environ, **variables}, limit
            )
        except subprocess.TimeoutExpired as error:
            raise OutOfTimeError(f"the picture took longer than {limit:g} s; try a smaller graph") from error
        except OSError as error:
            raise RenderError(f"the process that draws can't be started: {error}") from error
    said = complaint.decode("utf-8", errors="replace")
    if code == MISSING:
        raise RenderError(f"{said.strip().splitlines()[-1]}: {advice}")
    if code < 0:
        raise RenderError(f"the process that draws crashed ({_signal_name(-code)}); try a smaller graph")
    return Answer(result, said, code == 0)


class _Process:
    """The child, in a process group of its own, together with whatever it starts.

    Ctrl-C in a terminal reaches this process alone; so it's the one that ends the others.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def run(
        self, command: list[str], given: bytes, environment: dict[str, str], limit: float
    ) -> tuple[int, bytes, bytes]:
        """Returns the exit code, the result and what was said.

        A child that isn't in ``_child`` yet is harmless: it ends when it finds that the job wasn't written whole.
        """
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            process_group=None if sys.platform == "win32" else 0,
        )
        result, said = self._child.communicate(given, limit)
        return self._child.returncode, result, said

    def end(self) -> None:
        """Kills the group, where it still runs."""
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            if sys.platform == "win32":
                child.kill()
            else:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended
                    os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # what is left to be written has no reader
                    stream.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
