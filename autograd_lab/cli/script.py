"""Running a script as ``python`` does, in this process.

Relies on ``runpy`` for modules. Scripts are run here: ``runpy.run_path`` empties ``__main__`` when they're over, and
what they left to run at exit would find nothing. Promises that a script finds ``sys.argv``, ``sys.path`` and
``__main__`` as it would under ``python``, and that its exit code and traceback are its own.

Note [A traceback as without the lab]
Functions of the lab that stand between the user's code and torch's have a local variable ``__tracebackhide__``, as
pytest has it; their frames are left out. With a ``TorchFunctionMode`` a torch function written in Python is called
twice, first to ask the mode: of that first call nothing is shown either.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType

import click

from autograd_lab import exceptions
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
        TargetError: There is no such file or module.
    """
    __tracebackhide__ = True
    if as_module:
        sys.path.insert(0, str(Path.cwd()))
    if not (_is_module(script) if as_module else Path(script).is_file()):
        what = "module" if as_module else "script"
        raise TargetError(f"there is no {what} {script}; give the path of a Python file, or -m and a module")
    sys.argv = [script, *arguments]
    try:
        if as_module:
            runpy.run_module(script, run_name="__main__", alter_sys=True)
        else:
            _run_file(script)
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException as error:
        _leave_out_the_labs_frames(error)
        sys.excepthook(type(error), error, exceptions.traceback(error))
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _run_file(script: str) -> None:
    __tracebackhide__ = True
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


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what it's in isn't there
        return False
    except Exception:  # running it will show the same
        return True


def _leave_out_the_labs_frames(error: BaseException) -> None:
    """See Note [A traceback as without the lab]. Also of the exceptions that it came from."""
    waiting = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            exceptions.set_traceback(each, _shown(exceptions.traceback(each)))
            waiting += exceptions.origins(each)


def _shown(traceback: TracebackType | None) -> TracebackType | None:
    from torch.overrides import handle_torch_function

    shown: list[TracebackType] = []
    for frame in _listed(traceback):
        if "__tracebackhide__" not in frame.tb_frame.f_locals:
            shown.append(frame)
        elif len(shown) > 1 and shown[-1].tb_frame.f_code is handle_torch_function.__code__:
            del shown[-2:]
    for frame, following in itertools.zip_longest(shown, shown[1:]):
        frame.tb_next = following
    return shown[0] if shown else None


def _listed(traceback: TracebackType | None) -> list[TracebackType]:
    found = []
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    return found
