"""Running a script as ``python`` does, in this process.

Relies on ``runpy`` for modules. Scripts are run here: ``runpy.run_path`` empties ``__main__`` when they're over, and
what they left to run at exit would find nothing. Promises that a script finds ``sys.argv``, ``sys.path`` and
``__main__`` as it would under ``python``, and that its exit code and traceback are its own.
"""

from __future__ import annotations

import io
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType

import click

from autograd_lab.errors import TargetError


def run(script: str, arguments: Sequence[str], *, as_module: bool = False) -> int:
    """Runs a script to its end. What it raises is printed as ``python`` prints it.

    Args:
        script: A file's path, or a module's name.
        arguments: The script's own, as it finds them in ``sys.argv[1:]``.
        as_module: Whether ``script`` is a module's name, as after ``python -m``.

    Returns:
        Its exit code.

    Raises:
        TargetError: There is no such file.
    """
    if not as_module and not Path(script).is_file():
        raise TargetError(f"there is no script {script}; give the path of a Python file, or -m and a module")
    sys.argv = [script, *arguments]
    try:
        if as_module:
            sys.path.insert(0, str(Path.cwd()))
            runpy.run_module(script, run_name="__main__", alter_sys=True)
        else:
            _run_file(script)
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException as error:
        own = _own(error.__traceback__, _absolute(script))
        sys.excepthook(type(error), error.with_traceback(own), own)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _run_file(script: str) -> None:
    path = _absolute(script)
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=__builtins__, __cached__=None)
    sys.modules["__main__"] = main
    sys.path.insert(0, str(Path(script).resolve().parent))
    with io.open_code(path) as file:
        # Without the lab's own `from __future__ import annotations`.
        code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, main.__dict__)


def _absolute(script: str) -> str:
    """As ``python`` has it in ``__file__`` and in tracebacks: links aren't followed."""
    return str(Path.cwd() / script)


def _exit_code(leaving: SystemExit) -> int:
    """``sys.exit("text")`` prints the text and means 1, as under ``python``."""
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    click.echo(leaving.code, err=True)
    return 1


def _own(traceback: TracebackType | None, script: str) -> TracebackType | None:
    """The traceback from the script's own first frame on; the whole of it if it has none, as after ``-m``."""
    found = traceback
    while found is not None and found.tb_frame.f_code.co_filename != script:
        found = found.tb_next
    return found or traceback
