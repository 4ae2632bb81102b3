"""A process of its own for native code: what comes back, and what happens when it doesn't."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograd_lab.draw.native import isolated
from autograd_lab.draw.native.child import JOBS, MISSING
from autograd_lab.errors import RenderError

ADVICE = "pip install something"


@pytest.fixture
def in_the_child(monkeypatch, tmp_path):
    """Makes a Python module that only the child imports, before the installed ones."""

    def put(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return put


def test_a_result_comes_back_whole():
    answer = isolated.call("version of wheel", advice=ADVICE)
    assert answer.ok
    assert answer.result.count(b"\n") == 1


def test_variables_reach_the_child_and_nothing_else(in_the_child):
    in_the_child("pygraphviz", "import os\n__graphviz_version__ = os.environ['LAB_TEST']\n")
    answer = isolated.call("version of wheel", advice=ADVICE, variables={"LAB_TEST": "here"})
    assert answer.result.startswith(b"here\n")
    assert "LAB_TEST" not in os.environ


def test_what_is_printed_does_not_get_into_the_result(in_the_child):
    in_the_child(
        "pygraphviz", "import os\n__graphviz_version__ = '1'\nprint('noise')\nos.write(1, b'more noise')\n"
    )
    answer = isolated.call("version of wheel", advice=ADVICE)
    assert answer.result.startswith(b"1\n")
    assert "noise" in answer.said


def test_an_exception_is_told(in_the_child):
    in_the_child("pygraphviz", "raise ValueError('broken')")
    answer = isolated.call("version of wheel", advice=ADVICE)
    assert not answer.ok
    assert answer.said.rstrip().endswith("ValueError: broken")


def test_a_missing_package_is_an_error_with_advice(in_the_child):
    in_the_child("pygraphviz", "import no_such_package_anywhere")
    with pytest.raises(
        RenderError, match="No module named 'no_such_package_anywhere': pip install something"
    ):
        isolated.call("version of wheel", advice=ADVICE)


def test_a_crash_is_an_error(in_the_child):
    in_the_child("pygraphviz", "import os\nos.abort()")
    with pytest.raises(RenderError, match=r"crashed \(SIGABRT\)"):
        isolated.call("version of wheel", advice=ADVICE)


def test_a_failed_assertion_in_rust_is_an_error():
    # An edge from a vertex to itself ends the process of fast-sugiyama 0.5.3; `layers.py` never passes one on.
    with pytest.raises(RenderError, match="crashed"):
        isolated.call("order", b'[{"edges": [[0, 0]], "transpose": true}]', advice=ADVICE)


def test_warnings_that_the_user_made_errors_do_not_reach_the_child(in_the_child, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    in_the_child("pygraphviz", "import warnings\nwarnings.warn('old')\n__graphviz_version__ = '1'\n")
    assert isolated.call("version of wheel", advice=ADVICE).ok


def test_a_module_on_the_path_of_this_process_shadows_nothing(monkeypatch, tmp_path):
    (tmp_path / "secrets.py").write_text("raise ValueError('not me')")
    (tmp_path / "graphviz.py").write_text("raise ValueError('not me')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isolated.call("version of wheel", advice=ADVICE).ok
    # Without a program named dot the real package says so; autograd_lab/draw/native/graphviz.py has no such function.
    said = isolated.call("version of program", advice=ADVICE).said
    assert "ExecutableNotFound" in said


def test_a_package_that_only_this_process_finds_is_found(monkeypatch, tmp_path):
    (tmp_path / "found_here.py").write_text("__graphviz_version__ = '5'")
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "pygraphviz.py").write_text("from found_here import __graphviz_version__")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))
    assert isolated.call("version of wheel", advice=ADVICE).result.startswith(b"5\n")


def test_a_python_that_cannot_be_started_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(RenderError, match="can't be started"):
        isolated.call("version of wheel", advice=ADVICE)
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(RenderError, match="its own path"):
        isolated.call("version of wheel", advice=ADVICE)


# --- ends ----------------------------------------------------------------------------

SPINS = """
import ctypes, fcntl, os, subprocess, sys
file = open(os.environ["LAB_TEST"], "w")
fcntl.flock(file, fcntl.LOCK_EX)
# What the job starts holds the same lock, and a function of C that is called so keeps the interpreter's.
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=[file.fileno()])
print(os.getppid(), file=file, flush=True)
ctypes.PyDLL(None).sleep(600)
"""
"""A job that never ends by itself; it writes its supervisor's number once it runs."""

ASKS = """
import os, signal, sys, threading, time
sys.modules["torch"] = None  # which takes seconds to import
from autograd_lab.draw.native import isolated
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts with & ignore it
def ask():
    isolated.call("version of wheel", advice="", variables={"LAB_TEST": sys.argv[1]})
"""

WAYS_TO_END = {
    "killed": ("ask()", lambda asking: asking.kill()),
    "terminated": ("ask()", lambda asking: asking.terminate()),
    "interrupted": ("ask()", lambda asking: asking.send_signal(signal.SIGINT)),
    "hung up": ("ask()", lambda asking: asking.send_signal(signal.SIGHUP)),
    "ended at once": (
        "threading.Thread(target=ask).start(); sys.stdin.read(1); os._exit(0)",
        lambda asking: asking.stdin.close(),
    ),
    "an exception in a signal's handler": (
        "signal.signal(signal.SIGUSR1, lambda *_: 1 / 0); ask()",
        lambda asking: asking.send_signal(signal.SIGUSR1),
    ),
    "its main thread is over": (
        "threading.Thread(target=ask, daemon=True).start(); sys.stdin.read(1)",
        lambda asking: asking.stdin.close(),
    ),
}
"""How the process that asked for a drawing may end: what it runs, and what is done to it."""


def wait_for(condition, seconds: float = 10.0):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it didn't come in time"
        time.sleep(0.02)
    return found


def is_free(path: Path) -> bool:
    """Returns whether every process that held the lock is gone."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    # What nobody has waited for yet still has a number. (Elsewhere than on Linux the system itself waits.)
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("way", WAYS_TO_END)
def test_a_drawing_ends_with_the_process_that_asked_for_it(in_the_child, tmp_path, way):
    in_the_child("pygraphviz", SPINS)
    lock = tmp_path / "lock"
    code, act = WAYS_TO_END[way]
    with subprocess.Popen(
        [sys.executable, "-c", ASKS + code, str(lock)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as asking:
        supervisor = int(wait_for(lambda: lock.exists() and lock.read_text()))
        assert not is_free(lock)
        act(asking)
        wait_for(lambda: is_free(lock) and is_gone(supervisor))


def test_a_job_ends_at_its_limit(in_the_child, monkeypatch, tmp_path):
    in_the_child("pygraphviz", SPINS)
    monkeypatch.setenv("LAB_TEST", str(tmp_path / "lock"))
    with pytest.raises(
        isolated.OutOfTimeError, match=r"^the picture took longer than 0.8 s; try a smaller graph$"
    ):
        isolated.call("version of wheel", advice=ADVICE, limit=0.8)
    wait_for(lambda: is_free(tmp_path / "lock"))


def test_a_limit_that_is_over_already(in_the_child):
    with pytest.raises(isolated.OutOfTimeError):
        isolated.call("version of wheel", advice=ADVICE, limit=-1.0)


def test_the_supervisor_ends_a_job_that_nobody_else_ends(in_the_child, monkeypatch, tmp_path):
    in_the_child("pygraphviz", SPINS)
    lock = tmp_path / "lock"
    job = f'{{"job": "version of wheel", "path": [], "length": 0, "limit": -4.0, "parent": {os.getpid()}}}\n'.encode()
    done = subprocess.run(
        [sys.executable, "-P", isolated._CHILD],
        input=job,
        env=os.environ | {"LAB_TEST": str(lock)},
        check=False,
        process_group=0,
        timeout=20,
    )
    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: is_free(lock))


def test_without_a_supervisor_processor_time_is_limited():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from autograd_lab.draw.native import child\n"
        "child.limit_processor_time(0.0)\n"
        "while True: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)


def test_a_job_that_was_not_handed_over_whole_is_not_begun():
    for given in (b"", b'{"job": "version of wheel", "path": [], "length": 3}\nab'):
        done = subprocess.run(
            [sys.executable, "-P", isolated._CHILD], input=given, check=False, capture_output=True
        )
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"handed over" in done.stderr


def test_an_interrupt_while_waiting_ends_the_child_and_is_passed_on(in_the_child, monkeypatch, tmp_path):
    in_the_child("pygraphviz", SPINS)
    monkeypatch.setenv("LAB_TEST", str(tmp_path / "lock"))
    interrupt = KeyboardInterrupt()

    def interrupted(number, frame):
        raise interrupt

    old = signal.signal(signal.SIGALRM, interrupted)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        with pytest.raises(KeyboardInterrupt) as caught:
            isolated.call("version of wheel", advice=ADVICE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert caught.value is interrupt
    wait_for(lambda: is_free(tmp_path / "lock"))


def test_jobs_are_what_the_parent_asks_for():
    assert set(JOBS) == {
        "draw with program",
        "draw with wheel",
        "version of program",
        "version of wheel",
        "order",
    }
    assert MISSING not in (0, 1, 2)
