"""A process of its own for native code: what comes back, and what happens when it doesn't."""

import os
import sys

import pytest

from autograd_lab.draw import isolated
from autograd_lab.draw.child import JOBS, MISSING
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
    # Without a program named dot the real package says so; autograd_lab/draw/graphviz.py has no such function.
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


def test_jobs_are_what_the_parent_asks_for():
    assert set(JOBS) == {
        "draw with program",
        "draw with wheel",
        "version of program",
        "version of wheel",
        "order",
    }
    assert MISSING not in (0, 1, 2)
